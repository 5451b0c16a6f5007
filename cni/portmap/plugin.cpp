#include "cni/portmap/plugin.hpp"

#include "cni/iptables.hpp"
#include "cni/portmap/conntrack.hpp"
#include "cni/portmap/iptables.hpp"
#include "cni/portmap/nft.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>
#include <array>
#include <net/if.h>

namespace sluice::cni {
namespace {

constexpr std::uint32_t kMainTable = 254; // RT_TABLE_MAIN

PortmapOwner owner_of(const Request &request) {
  return {request.config.name, request.environment.attachment.container_id};
}

/// The reference plugin's choice: iptables, unless the node does not have it.
bool uses_iptables(const PortmapConfig &config) {
  return config.backend ? *config.backend == PortmapBackend::iptables : has_iptables();
}

/// The link that packets for `ip` leave by; empty if there is no route.
Outcome<std::string> egress_link(const IpAddress &ip) {
  SLUICE_TAKE(auto rtnl, kernel::RtnlSocket::open());
  SLUICE_TAKE(const auto routes, rtnl.read_routes(ip.family()));
  const kernel::Route *best = nullptr;
  for (const auto &route : routes)
    if (route.table == kMainTable && route.destination.contains(ip) &&
        (best == nullptr || route.destination.prefix_length() > best->destination.prefix_length()))
      best = &route;
  std::array<char, IF_NAMESIZE> name{};
  if (best == nullptr ||
      ::if_indextoname(static_cast<unsigned>(best->link.value), name.data()) == nullptr)
    return std::string();
  return std::string(name.data());
}

/// 127.0.0.1 may cross over to the pod.
Outcome<> route_localnet_to(const IpAddress &pod) {
  SLUICE_TAKE(const auto link, egress_link(pod));
  if (link.empty())
    return {};
  SLUICE_TRY(kernel::Sysctl().write("net/ipv4/conf/" + link + "/route_localnet", "1"),
             "let 127.0.0.1 reach the pod's ports");
  return {};
}

Outcome<> forward(const PortmapConfig &config, const PortmapOwner &owner,
                  const InterfaceAddress &pod) {
  if (mappings_of(config, pod.ip.family()).empty())
    return {};
  if (config.snat && pod.ip.is_v4())
    SLUICE_PASS(route_localnet_to(pod.ip));
  return uses_iptables(config) ? forward_by_iptables(config, owner, pod)
                               : forward_by_nft(config, owner, pod);
}

/// Of both back ends: the configuration may have changed since ADD, and so may the node.
Outcome<> unforward(const PortmapOwner &owner) {
  SLUICE_PASS(unforward_by_nft(owner));
  return unforward_by_iptables(owner);
}

/// The rules are right already; that old connections linger is no reason to fail.
void forget_connections(const PortmapConfig &config) {
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    std::set<Port> ports;
    for (const auto &mapping : mappings_of(config, family))
      if (mapping.protocol == Protocol::udp)
        ports.insert(mapping.host);
    (void)forget_udp(family, ports);
  }
}

Outcome<AddResult> previous_of(const Request &request) {
  if (!request.config.previous)
    return fail(Code::invalid_config,
                "prevResult is missing: portmap stands in a list, after the plugin that makes the "
                "interface");
  return *request.config.previous;
}

} // namespace

Outcome<AddResult> PortmapPlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_portmap_config(request.config));
  SLUICE_TAKE(auto previous, previous_of(request));
  if (config.mappings.empty())
    return previous;
  const auto owner = owner_of(request);
  for (const auto &pod : pod_addresses(previous, request.environment.attachment.ifname))
    if (auto done = forward(config, owner, pod); !done) {
      (void)unforward(owner);
      return fail(std::move(done.error()));
    }
  forget_connections(config);
  return previous;
}

Outcome<> PortmapPlugin::del(const Request &request) const {
  SLUICE_PASS(unforward(owner_of(request)));
  if (const auto config = parse_portmap_config(request.config))
    forget_connections(*config);
  return {};
}

Outcome<> PortmapPlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_portmap_config(request.config));
  SLUICE_TAKE(const auto previous, previous_of(request));
  for (const auto &pod : pod_addresses(previous, request.environment.attachment.ifname))
    if (!mappings_of(config, pod.ip.family()).empty())
      SLUICE_PASS(uses_iptables(config) ? check_by_iptables(config, owner_of(request), pod)
                                        : check_by_nft(config, owner_of(request), pod));
  return {};
}

Outcome<> PortmapPlugin::status(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_portmap_config(request.config));
  if (uses_iptables(config) && !has_iptables())
    return fail(Code::unavailable, "no port can be mapped: iptables is not installed",
                "install iptables, or set backend to \"nftables\"");
  return {};
}

Outcome<> PortmapPlugin::gc(const Request &request) const {
  std::set<std::string> valid;
  for (const auto &attachment : *request.config.valid_attachments)
    valid.insert(attachment.container_id);
  SLUICE_PASS(collect_by_nft(request.config.name, valid));
  return collect_by_iptables(request.config.name, valid);
}

} // namespace sluice::cni
