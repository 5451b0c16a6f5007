#include "cni/pod_masquerade.hpp"

#include "cni/iptables.hpp"
#include "cni/legacy_masquerade.hpp"
#include "cni/masquerade.hpp"
#include "cni/masquerade_iptables.hpp"

namespace sluice::cni {
namespace {

MasqueradeOwner owner_of(const Request &request) {
  return {request.config.name, request.environment.attachment.container_id};
}

std::vector<Cidr> networks_of(const std::vector<InterfaceAddress> &pods) {
  std::vector<Cidr> networks;
  for (const auto &pod : pods)
    networks.push_back(pod.network());
  return networks;
}

Outcome<> check_networks(const std::vector<Cidr> &networks) {
  for (const auto &network : networks) {
    SLUICE_TAKE(const bool there, has_masquerade(network));
    if (!there)
      return fail(Code::check_failed, "nft table \"inet " + std::string(kMasqueradeTable) +
                                          "\" does not masquerade " + network.str());
  }
  return {};
}

} // namespace

Outcome<MasqueradeBy> parse_masquerade(const NetworkConfig &config) {
  const auto top = top_of(config);
  bool wanted = false;
  std::string backend = "nftables";
  SLUICE_PASS(top.read("ipMasq", wanted));
  SLUICE_PASS(top.read("ipMasqBackend", backend));
  if (backend != "nftables" && backend != "iptables")
    return fail(top.wrong("ipMasqBackend", "it is \"nftables\" or \"iptables\""));
  if (!wanted)
    return MasqueradeBy::nobody;
  return backend == "iptables" ? MasqueradeBy::iptables : MasqueradeBy::nftables;
}

Outcome<> masquerade(MasqueradeBy by, const Request &request,
                     const std::vector<InterfaceAddress> &pods) {
  if (by == MasqueradeBy::iptables)
    return masquerade_by_iptables(owner_of(request), pods);
  if (by == MasqueradeBy::nftables && !pods.empty())
    return ensure_masquerade(networks_of(pods));
  return {};
}

void take_back_masquerade(MasqueradeBy by, const Request &request) {
  if (by == MasqueradeBy::iptables)
    (void)remove_legacy_masquerade(request.config.name, request.environment.attachment);
}

Outcome<> check_masquerade(MasqueradeBy by, const Request &request,
                           const std::vector<InterfaceAddress> &pods) {
  if (by == MasqueradeBy::iptables)
    return check_masquerade_by_iptables(owner_of(request), pods);
  if (by == MasqueradeBy::nftables)
    return check_networks(networks_of(pods));
  return {};
}

Outcome<> masquerade_status(MasqueradeBy by) {
  if (by == MasqueradeBy::iptables && !has_iptables())
    return fail(Code::unavailable, "ipMasqBackend is \"iptables\", and iptables is not installed",
                "install iptables, or leave the key out");
  return {};
}

std::vector<InterfaceAddress> addresses_of(const AddResult &result) {
  std::vector<InterfaceAddress> addresses;
  for (const auto &ip : result.ips)
    addresses.push_back(ip.address);
  return addresses;
}

} // namespace sluice::cni
