#include "cni/bridge_plan.hpp"

#include <algorithm>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace sluice::cni {

using kernel::IfIndex;
using kernel::LinkAddress;
using kernel::RtnlBatch;

namespace {

constexpr std::uint32_t kEthernetMtu = 1500;

bool is_default(const PodRoute &route) noexcept { return route.destination.prefix_length() == 0; }

std::optional<IpAddress> gateway_of(const AddResult &result, Family family) {
  for (const auto &ip : result.ips)
    if (ip.address.ip.family() == family && ip.gateway)
      return ip.gateway;
  return std::nullopt;
}

bool is_wanted(const LinkAddress &address, const std::vector<InterfaceAddress> &wanted) {
  return std::find(wanted.begin(), wanted.end(), address.address) != wanted.end();
}

/// An IPv4 bridge has one gateway; IPv6 networks stand beside each other unless they overlap.
bool stands_against(const LinkAddress &held, const std::vector<InterfaceAddress> &wanted) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const InterfaceAddress &gateway) {
    if (held.address.ip.family() != gateway.ip.family() || held.address.ip.is_link_local())
      return false;
    return gateway.ip.is_v4() || held.address.network().overlaps(gateway.network());
  });
}

Outcome<> plan_addresses(const BridgeConfig &config, const std::vector<InterfaceAddress> &gateways,
                         const ObservedBridge &observed, RtnlBatch &batch) {
  for (const auto &held : observed.addresses) {
    if (is_wanted(held, gateways) || !stands_against(held, gateways))
      continue;
    if (!config.force_address)
      return fail(Code::invalid_config,
                  "bridge \"" + config.bridge + "\" holds the address " + held.address.str() +
                      " where the gateway's must be",
                  "forceAddress: true replaces it");
    batch.add(kernel::DeleteAddress{observed.link->index, held.address});
  }
  for (const auto &gateway : gateways) {
    const bool held = std::any_of(observed.addresses.begin(), observed.addresses.end(),
                                  [&](const auto &address) { return address.address == gateway; });
    if (held)
      continue;
    const auto link =
        observed.link ? kernel::LinkRef(observed.link->index) : kernel::LinkRef(config.bridge);
    batch.add(kernel::AddAddress{.link = link, .address = gateway});
  }
  return {};
}

kernel::Route route_of(const PodRoute &route, IfIndex link) {
  kernel::Route made;
  made.destination = route.destination;
  made.gateway = route.gateway;
  made.link = link;
  made.table = route.table.value_or(RT_TABLE_MAIN);
  made.priority = route.priority.value_or(0);
  // IPv6 has no scopes; an IPv4 route without gateway is to a neighbour on the link.
  const bool v4 = route.destination.family() == Family::ipv4;
  made.scope = route.scope.value_or(v4 && !route.gateway ? std::uint8_t{RT_SCOPE_LINK}
                                                         : std::uint8_t{RT_SCOPE_UNIVERSE});
  made.mtu_bytes = route.mtu_bytes.value_or(0);
  made.advmss = route.advmss.value_or(0);
  return made;
}

void add_routes(const AddResult &result, IfIndex link, RtnlBatch &batch) {
  for (auto route = result.routes.begin(); route != result.routes.end(); ++route) {
    const bool another = std::any_of(result.routes.begin(), route, [&](const PodRoute &earlier) {
      return earlier.destination == route->destination && earlier.table == route->table &&
             earlier.priority == route->priority;
    });
    batch.add(kernel::AddRoute{.route = route_of(*route, link),
                               .existing =
                                   another ? kernel::Existing::append : kernel::Existing::refuse});
  }
}

} // namespace

void complete_addresses(const BridgeConfig &config, AddResult &result) {
  if (config.is_gateway)
    for (auto &ip : result.ips)
      if (!ip.gateway)
        ip.gateway = ip.address.network().first().advanced(1);
  for (auto &route : result.routes)
    if (!route.gateway)
      route.gateway = gateway_of(result, route.destination.family());
  if (!config.is_default_gateway)
    return;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const auto gateway = gateway_of(result, family);
    const bool has_default =
        std::any_of(result.routes.begin(), result.routes.end(), [&](const PodRoute &route) {
          return is_default(route) && route.destination.family() == family;
        });
    if (gateway && !has_default)
      result.routes.push_back(
          {.destination = {family == Family::ipv4
                               ? IpAddress::from_v4(0)
                               : IpAddress::from_bytes(std::array<std::uint8_t, 16>{}),
                           0},
           .gateway = gateway});
  }
}

std::vector<InterfaceAddress> gateway_addresses(const BridgeConfig &config,
                                                const AddResult &result) {
  std::vector<InterfaceAddress> gateways;
  if (!config.is_gateway)
    return gateways;
  for (const auto &ip : result.ips) {
    if (!ip.gateway)
      continue;
    const InterfaceAddress gateway{*ip.gateway, ip.address.prefix_length};
    if (std::find(gateways.begin(), gateways.end(), gateway) == gateways.end())
      gateways.push_back(gateway);
  }
  return gateways;
}

Outcome<RtnlBatch> plan_bridge(const BridgeConfig &config,
                               const std::vector<InterfaceAddress> &gateways,
                               const ObservedBridge &observed, MacAddress mac, bool netfilter) {
  RtnlBatch batch;
  const auto &link = observed.link;
  if (link && link->kind != "bridge")
    return fail(Code::invalid_config,
                "bridge is \"" + config.bridge + "\": a link of that name exists and is no bridge",
                "its kind is \"" + link->kind + "\"");
  if (!link)
    batch.add(kernel::CreateBridge{
        .name = config.bridge, .mtu_bytes = config.mtu_bytes, .mac = mac, .netfilter = netfilter});
  const bool promiscuous = config.promiscuous && !(link && link->promiscuous);
  if ((link && !link->up) || promiscuous)
    batch.add(kernel::SetLink{.link = config.bridge,
                              .up = true,
                              .promiscuous = promiscuous ? std::optional(true) : std::nullopt});
  SLUICE_PASS(plan_addresses(config, gateways, observed, batch));
  return batch;
}

RtnlBatch plan_host_link(const BridgeConfig &config, const PodLink &link, IfIndex bridge,
                         int netns_fd, const AddResult &result) {
  RtnlBatch batch;
  // One queue: a veth has no queueing discipline, and the kernel's default of one queue a CPU makes
  // its birth several times dearer on a large node (docs/design/cni.md).
  batch.add(kernel::CreateVeth{.name = link.host_name,
                               .peer_name = link.pod_name,
                               .peer_netns_fd = netns_fd,
                               .mtu_bytes = config.mtu_bytes,
                               .mac = link.host_mac,
                               .peer_mac = link.pod_mac,
                               .master = bridge,
                               .queues = 1});
  batch.add(kernel::SetLink{.link = link.host_name, .alias = link.alias});
  if (config.hairpin || config.port_isolation)
    batch.add(
        kernel::SetLink{.link = link.host_name,
                        .hairpin = config.hairpin ? std::optional(true) : std::nullopt,
                        .isolated = config.port_isolation ? std::optional(true) : std::nullopt});
  if (config.is_gateway)
    for (const auto &ip : result.ips)
      batch.add(kernel::AddNeighbour{
          .neighbour = {bridge, ip.address.ip, link.pod_mac, NUD_STALE, false}});
  return batch;
}

RtnlBatch plan_pod_link(const BridgeConfig &config, IfIndex link, MacAddress bridge_mac,
                        const AddResult &result) {
  RtnlBatch batch;
  if (config.disable_container_interface)
    return batch;
  batch.add(kernel::SetLink{.link = link, .up = true});
  for (const auto &ip : result.ips)
    batch.add(kernel::AddAddress{
        .link = link, .address = ip.address, .nodad = !config.duplicate_address_detection});
  add_routes(result, link, batch);
  for (const auto &gateway : gateway_addresses(config, result))
    batch.add(kernel::AddNeighbour{.neighbour = {link, gateway.ip, bridge_mac, NUD_STALE, false}});
  return batch;
}

AddResult make_result(const BridgeConfig &config, const PodLink &link, const kernel::Link &bridge,
                      const std::string &sandbox, AddResult addresses, const Dns &dns) {
  const auto mtu = config.mtu_bytes != 0 ? config.mtu_bytes : kEthernetMtu;
  addresses.interfaces = {
      {.name = bridge.name, .mac = bridge.mac.str(), .mtu_bytes = bridge.mtu_bytes},
      {.name = link.host_name, .mac = link.host_mac.str(), .mtu_bytes = mtu},
      {.name = link.pod_name, .mac = link.pod_mac.str(), .mtu_bytes = mtu, .sandbox = sandbox}};
  for (auto &ip : addresses.ips)
    ip.interface = addresses.interfaces.size() - 1;
  if (!dns.empty())
    addresses.dns = dns;
  return addresses;
}

} // namespace sluice::cni
