#include "cni/direct_plan.hpp"

#include "cni/pod_routes.hpp"

#include <algorithm>
#include <array>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <set>

namespace sluice::cni {

using kernel::IfIndex;
using kernel::Route;
using kernel::RtnlBatch;

namespace {

constexpr std::uint32_t kEthernetMtu = 1500;

/// The same for every pod, because nobody but the pod's own routes ever sees it.
IpAddress link_local_gateway(Family family) {
  if (family == Family::ipv4)
    return IpAddress::from_v4(0xa9fe0101); // 169.254.1.1
  return IpAddress::from_bytes(
      std::array<std::uint8_t, 16>{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

void complete_routed(AddResult &result) {
  std::set<Family> families;
  for (auto &ip : result.ips) {
    ip.address.prefix_length = ip.address.ip.bits();
    ip.gateway = link_local_gateway(ip.address.ip.family());
    families.insert(ip.address.ip.family());
  }
  // There is one way out of the pod, whatever IPAM thinks of the network.
  for (auto &route : result.routes)
    route.gateway = link_local_gateway(route.destination.family());
  for (const auto family : families)
    if (!has_default_route(result, family))
      result.routes.push_back(
          {.destination = default_destination(family), .gateway = link_local_gateway(family)});
}

Outcome<> complete_ptp(AddResult &result) {
  for (const auto &ip : result.ips)
    if (!ip.gateway)
      return fail(Code::invalid_config,
                  "IPAM gave " + ip.address.str() + " without a gateway: the host end needs one");
  complete_routes(result);
  return {};
}

/// The first address of each gateway: two addresses of a network share it.
std::vector<AssignedIp> one_of_each_gateway(const AddResult &result) {
  std::vector<AssignedIp> first;
  for (const auto &ip : result.ips) {
    const bool another = std::any_of(first.begin(), first.end(),
                                     [&](const auto &seen) { return seen.gateway == ip.gateway; });
    if (!another)
      first.push_back(ip);
  }
  return first;
}

/// Directly on the link; IPv6 has no scopes.
Route link_route(const IpAddress &destination, IfIndex link, std::uint8_t scope) {
  Route route;
  route.destination = Cidr::host(destination);
  route.link = link;
  route.scope = destination.is_v4() ? scope : std::uint8_t{RT_SCOPE_UNIVERSE};
  return route;
}

/// The network that the kernel would take for the link is behind the gateway.
void add_network_by_gateway(const AssignedIp &ip, IfIndex link, RtnlBatch &batch) {
  if (ip.address.prefix_length == ip.address.ip.bits())
    return;
  Route route;
  route.destination = ip.address.network();
  route.gateway = ip.gateway;
  route.link = link;
  route.preferred_source = ip.address.ip;
  batch.add(kernel::AddRoute{.route = route});
}

void add_gateways(Layout layout, IfIndex link, const AddResult &result, RtnlBatch &batch) {
  for (const auto &ip : one_of_each_gateway(result)) {
    // fe80::/10 is on every link by itself.
    if (!ip.gateway->is_v4() && ip.gateway->is_link_local())
      continue;
    auto to_gateway = link_route(*ip.gateway, link, RT_SCOPE_LINK);
    if (layout == Layout::ptp)
      to_gateway.preferred_source = ip.address.ip;
    batch.add(kernel::AddRoute{.route = to_gateway});
  }
  if (layout == Layout::ptp)
    for (const auto &ip : one_of_each_gateway(result))
      add_network_by_gateway(ip, link, batch);
}

} // namespace

Outcome<> complete_direct(Layout layout, AddResult &result) {
  if (layout == Layout::ptp)
    return complete_ptp(result);
  complete_routed(result);
  return {};
}

Outcome<std::vector<InterfaceAddress>> masqueraded_pods(const AddResult &from_ipam) {
  for (const auto &ip : from_ipam.ips)
    if (ip.address.prefix_length == ip.address.ip.bits())
      return fail(Code::invalid_config,
                  "ipMasq is true and IPAM gave " + ip.address.str() +
                      ": that says nothing of the network of the pods",
                  "masquerade outside of this plugin, or use an IPAM that answers the network");
  return addresses_of(from_ipam);
}

RtnlBatch plan_direct_link(const DirectConfig &config, const PodLink &link, int netns_fd) {
  RtnlBatch batch;
  batch.add(kernel::CreateVeth{.name = link.host_name,
                               .peer_name = link.pod_name,
                               .peer_netns_fd = netns_fd,
                               .mtu_bytes = config.mtu_bytes,
                               .mac = link.host_mac,
                               .peer_mac = link.pod_mac,
                               .queues = 1}); // as in bridge mode (docs/design/cni.md)
  batch.add(kernel::SetLink{.link = link.host_name, .alias = link.alias});
  return batch;
}

std::vector<IpAddress> host_addresses(Layout layout, const AddResult &result) {
  std::vector<IpAddress> addresses;
  if (layout == Layout::ptp)
    for (const auto &ip : one_of_each_gateway(result))
      addresses.push_back(*ip.gateway);
  return addresses;
}

RtnlBatch plan_direct_host(const DirectConfig &config, const PodLink &link, IfIndex host,
                           const AddResult &result) {
  RtnlBatch batch;
  for (const auto &ip : host_addresses(config.layout, result))
    batch.add(
        kernel::AddAddress{.link = host, .address = {ip, ip.bits()}, .noprefixroute = !ip.is_v4()});
  const auto scope = config.layout == Layout::ptp ? RT_SCOPE_HOST : RT_SCOPE_LINK;
  for (const auto &ip : result.ips) {
    auto route = link_route(ip.address.ip, host, scope);
    route.protocol = kPodRouteProtocol;
    batch.add(kernel::AddRoute{.route = route});
    batch.add(
        kernel::AddNeighbour{.neighbour = {host, ip.address.ip, link.pod_mac, NUD_STALE, false}});
  }
  return batch;
}

RtnlBatch plan_direct_pod(const DirectConfig &config, const PodLink &link, IfIndex pod,
                          const AddResult &result) {
  RtnlBatch batch;
  batch.add(kernel::SetLink{.link = pod, .up = true});
  for (const auto &ip : result.ips)
    batch.add(kernel::AddAddress{.link = pod,
                                 .address = ip.address,
                                 .nodad = !config.duplicate_address_detection,
                                 .noprefixroute = true});
  add_gateways(config.layout, pod, result, batch);
  add_routes(result, pod, batch);
  // A gateway that is on no link answers no question, so the pod knows its MAC for ever.
  const std::uint16_t state = config.layout == Layout::ptp ? NUD_STALE : NUD_PERMANENT;
  for (const auto &ip : one_of_each_gateway(result))
    batch.add(kernel::AddNeighbour{.neighbour = {pod, *ip.gateway, link.host_mac, state, false}});
  return batch;
}

AddResult make_direct_result(const DirectConfig &config, const PodLink &link,
                             const std::string &sandbox, AddResult addresses) {
  const auto mtu = config.mtu_bytes != 0 ? config.mtu_bytes : kEthernetMtu;
  addresses.interfaces = {
      {.name = link.host_name, .mac = link.host_mac.str(), .mtu_bytes = mtu},
      {.name = link.pod_name, .mac = link.pod_mac.str(), .mtu_bytes = mtu, .sandbox = sandbox}};
  for (auto &ip : addresses.ips)
    ip.interface = 1;
  return addresses;
}

} // namespace sluice::cni
