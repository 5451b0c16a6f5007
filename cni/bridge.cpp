#include "cni/bridge.hpp"

#include "cni/bridge_add.hpp"
#include "cni/bridge_check.hpp"
#include "cni/ipam_client.hpp"
#include "cni/link_removal.hpp"
#include "cni/masquerade.hpp"
#include "cni/names.hpp"

namespace sluice::cni {

using kernel::RtnlSocket;

namespace {

/// A pod that another plugin connected has a host link of another name: it goes with the pod's end.
Outcome<> remove_pod_end(const Environment &environment) {
  const auto namespaces = open_namespaces(environment);
  if (!namespaces)
    return {}; // gone, and the interface with it
  return namespaces->in_pod([&]() -> Outcome<> {
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    const auto link = rtnl.read_link(environment.attachment.ifname);
    if (!link || link->kind != "veth")
      return {};
    SLUICE_PASS(remove_link(link->name));
    return {};
  });
}

Outcome<> remove_interface(const Request &request) {
  const auto &environment = request.environment;
  SLUICE_TAKE(const bool removed,
              remove_link(host_link_name(request.config.name, environment.attachment)));
  return removed ? Outcome<>{} : remove_pod_end(environment);
}

Outcome<ObservedPod> observe_pod(const Namespaces &namespaces, const std::string &ifname) {
  return namespaces.in_pod([&]() -> Outcome<ObservedPod> {
    ObservedPod pod;
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    auto link = rtnl.read_link(ifname);
    if (!link && link.error().code() == Errc::not_found)
      return pod;
    if (!link)
      return fail(CniError(std::move(link.error())));
    SLUICE_TAKE(pod.addresses, rtnl.read_addresses_of(link->index));
    pod.link = std::move(*link);
    for (const auto family : {Family::ipv4, Family::ipv6}) {
      SLUICE_TAKE(const auto routes, rtnl.read_routes(family));
      pod.routes.insert(pod.routes.end(), routes.begin(), routes.end());
    }
    return pod;
  });
}

Outcome<> check_masquerade(const BridgeConfig &config, const AddResult &previous) {
  if (!config.ip_masq)
    return {};
  for (const auto &ip : previous.ips) {
    SLUICE_TAKE(const bool there, has_masquerade(ip.address.network()));
    if (!there)
      return fail(Code::check_failed, "nft table \"inet " + std::string(kMasqueradeTable) +
                                          "\" does not masquerade " + ip.address.network().str());
  }
  return {};
}

/// Host links of this network that belong to no valid attachment.
Outcome<> remove_stale_links(const Request &request) {
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto links, rtnl.read_links());
  Outcome<> first_failure;
  for (const auto &link : links) {
    const auto owner = parse_host_link_alias(link.alias);
    if (!owner || owner->network != request.config.name ||
        request.config.valid_attachments->count(owner->attachment) > 0)
      continue;
    auto removed = remove_link(link.name);
    if (!removed && first_failure)
      first_failure = fail(std::move(removed.error()));
  }
  return first_failure;
}

} // namespace

Outcome<AddResult> BridgePlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_bridge_config(request.config, request.environment.args));
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  if (request.config.ipam_type.empty())
    return attach_to_bridge(request, config, namespaces, {}, netfilter_);
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  SLUICE_TAKE(auto addresses, ipam.add());
  auto result = attach_to_bridge(request, config, namespaces, std::move(addresses), netfilter_);
  if (!result)
    (void)ipam.del();
  return result;
}

Outcome<> BridgePlugin::del(const Request &request) const {
  // The address last: nobody else may get it while the old link answers for it.
  SLUICE_PASS(remove_interface(request));
  if (request.config.ipam_type.empty())
    return {};
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  return ipam.del();
}

Outcome<> BridgePlugin::check(const Request &request) const {
  const auto &environment = request.environment;
  SLUICE_TAKE(const auto config, parse_bridge_config(request.config, environment.args));
  if (!request.config.previous)
    return fail(Code::invalid_config, "prevResult is missing: CHECK compares with it");
  const auto &previous = *request.config.previous;
  SLUICE_TAKE(const auto named,
              links_of(previous, config.bridge, environment.attachment.ifname, environment.netns));
  if (!request.config.ipam_type.empty()) {
    SLUICE_TAKE(const auto ipam, IpamClient::of(request));
    SLUICE_PASS(ipam.check());
  }
  SLUICE_TAKE(const auto namespaces, open_namespaces(environment));
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto bridge, observe_bridge(rtnl, config.bridge));
  const auto host_link = rtnl.read_link(named.host.name);
  SLUICE_TAKE(const auto pod, observe_pod(namespaces, environment.attachment.ifname));
  SLUICE_PASS(check_bridge_attachment(config, previous, named, bridge,
                                      host_link ? std::optional(*host_link) : std::nullopt, pod));
  return check_masquerade(config, previous);
}

Outcome<> BridgePlugin::status(const Request &request) const {
  SLUICE_PASS(parse_bridge_config(request.config, request.environment.args));
  if (request.config.ipam_type.empty())
    return {};
  const auto ipam = IpamClient::of(request);
  if (!ipam)
    return fail(Code::unavailable, ipam.error().message(), ipam.error().details());
  return ipam->status();
}

Outcome<> BridgePlugin::gc(const Request &request) const {
  auto links = remove_stale_links(request);
  if (request.config.ipam_type.empty())
    return links;
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  SLUICE_PASS(ipam.gc());
  return links;
}

} // namespace sluice::cni
