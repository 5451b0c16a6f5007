#include "cni/bridge_add.hpp"

#include "cni/link_removal.hpp"
#include "cni/masquerade.hpp"
#include "cni/names.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>
#include <sys/random.h>

namespace sluice::cni {

using kernel::Rtnl;
using kernel::RtnlSocket;
using kernel::Sysctl;

namespace {

/// Two rounds make a bridge and see that it is there; the third is for one that somebody else made
/// or changed meanwhile.
constexpr int kRounds = 3;

bool has_family(const AddResult &result, Family family) {
  return std::any_of(result.ips.begin(), result.ips.end(),
                     [&](const auto &ip) { return ip.address.ip.family() == family; });
}

MacAddress random_mac() {
  std::uint64_t seed = 0;
  (void)!::getrandom(&seed, sizeof seed, 0);
  return MacAddress::from_seed(seed);
}

/// A parallel ADD may have done the same: that is no failure.
Outcome<> apply_shared(Rtnl &rtnl, const kernel::RtnlBatch &batch) {
  SLUICE_TAKE(const auto refusals, rtnl.apply_each(batch));
  for (const auto &refusal : refusals)
    if (refusal.error.code() != Errc::already_exists)
      return fail(CniError(refusal.error));
  return {};
}

Outcome<kernel::Link> ensure_bridge(Rtnl &rtnl, const BridgeConfig &config,
                                    const std::vector<InterfaceAddress> &gateways, bool netfilter) {
  for (int round = 0; round < kRounds; ++round) {
    SLUICE_TAKE(auto observed, observe_bridge(rtnl, config.bridge));
    SLUICE_TAKE(const auto batch, plan_bridge(config, gateways, observed, random_mac(), netfilter));
    if (batch.empty())
      return std::move(*observed.link);
    SLUICE_TRY(apply_shared(rtnl, batch), "prepare bridge \"" + config.bridge + "\"");
  }
  return fail(Code::try_again, "bridge \"" + config.bridge + "\" does not stay as it was made",
              "another program changes it");
}

Outcome<> forward_packets(const BridgeConfig &config, const AddResult &addresses) {
  if (!config.is_gateway)
    return {};
  if (has_family(addresses, Family::ipv4))
    SLUICE_TRY(Sysctl().write("net/ipv4/ip_forward", "1"), "isGateway");
  if (has_family(addresses, Family::ipv6))
    SLUICE_TRY(Sysctl().write("net/ipv6/conf/all/forwarding", "1"), "isGateway");
  return {};
}

Outcome<> masquerade(const BridgeConfig &config, const AddResult &addresses) {
  if (!config.ip_masq)
    return {};
  for (const auto &ip : addresses.ips)
    SLUICE_PASS(ensure_masquerade(ip.address.network()));
  return {};
}

/// Before the link is up: what the kernel does on its own when it comes up depends on these.
Outcome<> prepare_ipv6(const BridgeConfig &config, const std::string &ifname,
                       const AddResult &addresses) {
  if (!has_family(addresses, Family::ipv6))
    return {};
  const Sysctl sysctl;
  const auto conf = [](const std::string &link, const char *key) {
    return "net/ipv6/conf/" + link + "/" + key;
  };
  SLUICE_TRY(sysctl.write(conf("lo", "disable_ipv6"), "0"), "prepare the container for IPv6");
  SLUICE_TRY(sysctl.write(conf(ifname, "disable_ipv6"), "0"), "prepare the container for IPv6");
  SLUICE_TRY(sysctl.write(conf(ifname, "keep_addr_on_down"), "1"),
             "prepare the container for IPv6");
  const auto *detection = config.duplicate_address_detection ? "1" : "0";
  SLUICE_TRY(sysctl.write(conf(ifname, "accept_dad"), detection), "prepare the container for IPv6");
  return {};
}

Outcome<> set_up_pod(const BridgeConfig &config, const std::string &ifname, MacAddress bridge_mac,
                     const AddResult &addresses) {
  const auto doing = "set up container interface \"" + ifname + "\"";
  SLUICE_ASSIGN(auto rtnl, RtnlSocket::open(), doing);
  SLUICE_ASSIGN(const auto link, rtnl.read_link(ifname), doing);
  SLUICE_TRY(prepare_ipv6(config, ifname, addresses), doing);
  SLUICE_TRY(rtnl.apply(plan_pod_link(config, link.index, bridge_mac, addresses)), doing);
  return {};
}

Outcome<> create_host_link(Rtnl &rtnl, const kernel::RtnlBatch &batch, const PodLink &link) {
  SLUICE_TAKE(const auto refusals, rtnl.apply_each(batch));
  if (refusals.empty())
    return {};
  const auto &first = refusals.front();
  if (first.operation == 0 && first.error.code() == Errc::already_exists)
    return fail(Code::already_exists,
                "interface \"" + link.pod_name + "\" exists in the container, or its host end \"" +
                    link.host_name + "\" does",
                first.error.what());
  if (first.operation != 0)
    (void)remove_link(link.host_name);
  return fail(CniError(first.error));
}

/// Without an address there is nothing that a neighbour could remember.
MacAddress choose_pod_mac(const BridgeConfig &config, const std::string &network,
                          const AddResult &addresses) {
  if (config.mac)
    return *config.mac;
  return addresses.ips.empty() ? random_mac() : pod_mac(network, addresses.ips.front().address.ip);
}

PodLink name_links(const Request &request, const BridgeConfig &config, const AddResult &addresses) {
  const auto &network = request.config.name;
  const auto &attachment = request.environment.attachment;
  return {.host_name = host_link_name(network, attachment),
          .alias = host_link_alias(network, attachment),
          .pod_name = attachment.ifname,
          .host_mac = host_mac(network, attachment),
          .pod_mac = choose_pod_mac(config, network, addresses)};
}

} // namespace

Outcome<ObservedBridge> observe_bridge(Rtnl &rtnl, const std::string &name) {
  ObservedBridge observed;
  auto link = rtnl.read_link(name);
  if (!link && link.error().code() == Errc::not_found)
    return observed;
  if (!link)
    return fail(CniError(std::move(link.error())));
  SLUICE_TAKE(observed.addresses, rtnl.read_addresses_of(link->index));
  observed.link = std::move(*link);
  return observed;
}

Outcome<AddResult> attach_to_bridge(const Request &request, const BridgeConfig &config,
                                    const Namespaces &namespaces, AddResult addresses,
                                    bool netfilter) {
  complete_addresses(config, addresses);
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto bridge,
              ensure_bridge(rtnl, config, gateway_addresses(config, addresses), netfilter));
  SLUICE_PASS(forward_packets(config, addresses));
  SLUICE_PASS(masquerade(config, addresses));
  const auto link = name_links(request, config, addresses);
  SLUICE_PASS(create_host_link(
      rtnl, plan_host_link(config, link, bridge.index, namespaces.pod.fd(), addresses), link));
  if (auto done = namespaces.in_pod(
          [&] { return set_up_pod(config, link.pod_name, bridge.mac, addresses); });
      !done) {
    (void)remove_link(link.host_name);
    return fail(std::move(done.error()));
  }
  return make_result(config, link, bridge, request.environment.netns, std::move(addresses),
                     request.config.dns);
}

} // namespace sluice::cni
