#include "cni/bridge_plan.hpp"

#include "cni/pod_routes.hpp"

#include "cni/names.hpp"

#include <algorithm>
#include <linux/neighbour.h>

namespace sluice::cni {

using kernel::IfIndex;
using kernel::LinkAddress;
using kernel::RtnlBatch;

namespace {

constexpr std::uint32_t kEthernetMtu = 1500;

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
                         const std::string &name, const ObservedBridge &observed,
                         RtnlBatch &batch) {
  for (const auto &held : observed.addresses) {
    if (is_wanted(held, gateways) || !stands_against(held, gateways))
      continue;
    if (!config.force_address)
      return fail(Code::invalid_config,
                  "\"" + name + "\" holds the address " + held.address.str() +
                      " where the gateway's must be",
                  "forceAddress: true replaces it");
    batch.add(kernel::DeleteAddress{observed.link->index, held.address});
  }
  for (const auto &gateway : gateways) {
    const bool held = std::any_of(observed.addresses.begin(), observed.addresses.end(),
                                  [&](const auto &address) { return address.address == gateway; });
    if (held)
      continue;
    const auto link = observed.link ? kernel::LinkRef(observed.link->index) : kernel::LinkRef(name);
    batch.add(kernel::AddAddress{.link = link, .address = gateway});
  }
  return {};
}

} // namespace

void complete_addresses(const BridgeConfig &config, AddResult &result) {
  if (config.is_gateway)
    for (auto &ip : result.ips)
      if (!ip.gateway)
        ip.gateway = ip.address.network().first().advanced(1);
  complete_routes(result);
  if (!config.is_default_gateway)
    return;
  for (const auto family : {Family::ipv4, Family::ipv6})
    if (const auto gateway = gateway_of(result, family);
        gateway && !has_default_route(result, family))
      result.routes.push_back({.destination = default_destination(family), .gateway = gateway});
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
  if (link)
    SLUICE_PASS(check_vlan_filtering(config.vlans, *link));
  else
    batch.add(kernel::CreateBridge{.name = config.bridge,
                                   .mtu_bytes = config.mtu_bytes,
                                   .mac = mac,
                                   .netfilter = netfilter,
                                   .vlan_filtering = config.vlans.wanted()});
  const bool promiscuous = config.promiscuous && !(link && link->promiscuous);
  if ((link && !link->up) || promiscuous)
    batch.add(kernel::SetLink{.link = config.bridge,
                              .up = true,
                              .promiscuous = promiscuous ? std::optional(true) : std::nullopt});
  if (gateway_link(config) == config.bridge)
    SLUICE_PASS(plan_addresses(config, gateways, config.bridge, observed, batch));
  return batch;
}

Outcome<RtnlBatch> plan_vlan_gateway(const BridgeConfig &config,
                                     const std::vector<InterfaceAddress> &gateways,
                                     const ObservedBridge &observed, const kernel::Link &bridge) {
  RtnlBatch batch;
  const auto name = gateway_link(config);
  if (observed.link && observed.link->kind != "veth")
    return fail(Code::invalid_config, "\"" + name + "\", where the gateway of VLAN " +
                                          std::to_string(config.vlans.native) +
                                          " must be, is no veth");
  if (!observed.link) {
    const auto port = gateway_port_name(name);
    batch.add(kernel::CreateVeth{.name = port,
                                 .peer_name = name,
                                 .mtu_bytes = config.mtu_bytes,
                                 .master = bridge.index,
                                 .queues = 1});
    batch.barrier();
    plan_port_vlans({.native = config.vlans.native}, port, bridge.default_pvid, batch);
  }
  if (!observed.link || !observed.link->up)
    batch.add(kernel::SetLink{.link = name, .up = true});
  SLUICE_PASS(plan_addresses(config, gateways, name, observed, batch));
  return batch;
}

RtnlBatch plan_host_link(const BridgeConfig &config, const PodLink &link,
                         const kernel::Link &bridge, IfIndex gateway, int netns_fd,
                         const AddResult &result) {
  RtnlBatch batch;
  // One queue: a veth has no queueing discipline, and the kernel's default of one queue a CPU makes
  // its birth several times dearer on a large node (docs/design/cni.md).
  batch.add(kernel::CreateVeth{.name = link.host_name,
                               .peer_name = link.pod_name,
                               .peer_netns_fd = netns_fd,
                               .mtu_bytes = config.mtu_bytes,
                               .mac = link.host_mac,
                               .peer_mac = link.pod_mac,
                               .master = bridge.index,
                               .queues = 1});
  batch.add(
      kernel::SetLink{.link = link.host_name,
                      .alias = link.alias,
                      .hairpin = config.hairpin ? std::optional(true) : std::nullopt,
                      .isolated = config.port_isolation ? std::optional(true) : std::nullopt});
  plan_port_vlans(config.vlans, link.host_name, bridge.default_pvid, batch);
  if (config.is_gateway)
    for (const auto &ip : result.ips)
      batch.add(kernel::AddNeighbour{
          .neighbour = {gateway, ip.address.ip, link.pod_mac, NUD_STALE, false}});
  return batch;
}

RtnlBatch plan_pod_link(const BridgeConfig &config, IfIndex link, MacAddress gateway_mac,
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
    batch.add(kernel::AddNeighbour{.neighbour = {link, gateway.ip, gateway_mac, NUD_STALE, false}});
  return batch;
}

AddResult make_result(const BridgeConfig &config, const PodLink &link, const kernel::Link &bridge,
                      const kernel::Link &gateway, const std::string &sandbox, AddResult addresses,
                      const Dns &dns) {
  const auto mtu = config.mtu_bytes != 0 ? config.mtu_bytes : kEthernetMtu;
  addresses.interfaces = {
      {.name = bridge.name, .mac = bridge.mac.str(), .mtu_bytes = bridge.mtu_bytes},
      {.name = link.host_name, .mac = link.host_mac.str(), .mtu_bytes = mtu},
      {.name = link.pod_name, .mac = link.pod_mac.str(), .mtu_bytes = mtu, .sandbox = sandbox}};
  for (auto &ip : addresses.ips)
    ip.interface = addresses.interfaces.size() - 1;
  if (gateway.index != bridge.index)
    addresses.interfaces.push_back(
        {.name = gateway.name, .mac = gateway.mac.str(), .mtu_bytes = gateway.mtu_bytes});
  if (!dns.empty())
    addresses.dns = dns;
  return addresses;
}

} // namespace sluice::cni
