#include "cni/direct_check.hpp"

#include <algorithm>

namespace sluice::cni {

using kernel::RtnlSocket;

namespace {

Outcome<> check_host_link(const Interface &named, const ObservedHostEnd &host,
                          const ObservedPod &pod) {
  const auto what = "host link " + quoted(named.name);
  if (!host.link)
    return differs(what + " is missing");
  if (host.link->kind != "veth")
    return differs(what + " is no veth, its kind is " + quoted(host.link->kind));
  if (host.link->peer != pod.link->index)
    return differs(what + " is not the other end of the container's interface");
  if (!host.link->up)
    return differs(what + " is down");
  return check_mac(what, named.mac, *host.link);
}

Outcome<> check_gateways(const Interface &named, const AddResult &previous,
                         const ObservedHostEnd &host) {
  for (const auto &ip : previous.ips) {
    const bool held = ip.gateway && std::any_of(host.addresses.begin(), host.addresses.end(),
                                                [&](const auto &address) {
                                                  return address.address.ip == *ip.gateway;
                                                });
    if (ip.gateway && !held)
      return differs("host link " + quoted(named.name) + " does not hold the gateway address " +
                     ip.gateway->str());
  }
  return {};
}

Outcome<> check_routes_to_pod(const AddResult &previous, const ObservedHostEnd &host) {
  for (const auto &ip : previous.ips) {
    const bool there =
        std::any_of(host.routes.begin(), host.routes.end(), [&](const kernel::Route &route) {
          return route.destination == Cidr::host(ip.address.ip) && route.link == host.link->index;
        });
    if (!there)
      return differs("the node has no route to " + ip.address.ip.str() + " by " +
                     quoted(host.link->name));
  }
  return {};
}

void add_subnet(const ObjectReader &range, std::vector<Cidr> &subnets) {
  std::string text;
  (void)range.read("subnet", text);
  if (const auto subnet = Cidr::parse(text))
    subnets.push_back(*subnet);
}

std::vector<Cidr> configured_subnets(const NetworkConfig &config) {
  std::vector<Cidr> subnets;
  const auto ipam = top_of(config).object("ipam");
  if (!ipam || !*ipam)
    return subnets;
  add_subnet(**ipam, subnets);
  if (const auto lists = (*ipam)->object_lists("ranges"))
    for (const auto &list : *lists)
      for (const auto &range : list)
        add_subnet(range, subnets);
  return subnets;
}

} // namespace

Outcome<DirectLinks> direct_links_of(const AddResult &previous, const std::string &ifname,
                                     const std::string &netns) {
  DirectLinks named;
  for (const auto &interface : previous.interfaces) {
    if (!interface.sandbox.empty() && interface.name == ifname)
      named.pod = interface;
    else if (interface.sandbox.empty() && named.host.name.empty())
      named.host = interface;
  }
  if (named.pod.name.empty())
    return differs("prevResult names no container interface " + quoted(ifname));
  if (named.pod.sandbox != netns)
    return differs("prevResult has the namespace " + quoted(named.pod.sandbox) + ", CNI_NETNS is " +
                   quoted(netns));
  if (named.host.name.empty())
    return differs("prevResult names no host link");
  return named;
}

Outcome<ObservedHostEnd> observe_host_end(kernel::Rtnl &rtnl, const std::string &name) {
  ObservedHostEnd host;
  auto link = rtnl.read_link(name);
  if (!link && link.error().code() == Errc::not_found)
    return host;
  if (!link)
    return fail(CniError(std::move(link.error())));
  SLUICE_TAKE(host.addresses, rtnl.read_addresses_of(link->index));
  host.link = std::move(*link);
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    SLUICE_TAKE(const auto routes, rtnl.read_routes(family));
    host.routes.insert(host.routes.end(), routes.begin(), routes.end());
  }
  return host;
}

Outcome<> check_direct(const DirectConfig &config, const AddResult &previous,
                       const DirectLinks &named, const ObservedHostEnd &host,
                       const ObservedPod &pod) {
  SLUICE_PASS(check_pod_link(named.pod, pod, true, config.mtu_bytes));
  SLUICE_PASS(check_host_link(named.host, host, pod));
  if (config.layout == Layout::ptp)
    SLUICE_PASS(check_gateways(named.host, previous, host));
  SLUICE_PASS(check_routes_to_pod(previous, host));
  SLUICE_PASS(check_addresses(previous, pod));
  return check_routes(previous, pod);
}

Outcome<std::vector<kernel::Neighbour>> observe_neighbours(const Namespaces &namespaces) {
  return namespaces.in_pod([]() -> Outcome<std::vector<kernel::Neighbour>> {
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    std::vector<kernel::Neighbour> all;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
      SLUICE_TAKE(const auto some, rtnl.read_neighbours(family));
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  });
}

Outcome<> check_gateway_neighbours(const AddResult &previous, const ObservedHostEnd &host,
                                   const ObservedPod &pod,
                                   const std::vector<kernel::Neighbour> &neighbours) {
  for (const auto &ip : previous.ips) {
    if (!ip.gateway)
      continue;
    const kernel::Neighbour wanted = {pod.link->index, *ip.gateway, host.link->mac};
    if (std::find(neighbours.begin(), neighbours.end(), wanted) == neighbours.end())
      return differs("the container does not know for ever that " + ip.gateway->str() + " is at " +
                     host.link->mac.str());
  }
  return {};
}

std::vector<InterfaceAddress> checked_pods(const NetworkConfig &config, const AddResult &previous) {
  const auto subnets = configured_subnets(config);
  std::vector<InterfaceAddress> pods;
  for (const auto &ip : previous.ips) {
    if (ip.address.prefix_length != ip.address.ip.bits())
      pods.push_back(ip.address);
    else
      for (const auto &subnet : subnets)
        if (subnet.contains(ip.address.ip))
          pods.push_back({ip.address.ip, subnet.prefix_length()});
  }
  return pods;
}

} // namespace sluice::cni
