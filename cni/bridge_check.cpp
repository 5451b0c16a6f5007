#include "cni/bridge_check.hpp"

#include <algorithm>

namespace sluice::cni {

using kernel::Link;

namespace {

tl::unexpected<CniError> differs(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

Outcome<> check_mac(const std::string &what, const std::string &expected, const Link &link) {
  const auto mac = MacAddress::parse(expected);
  if (mac && *mac != link.mac)
    return differs(what + " has the MAC " + link.mac.str() + ", the result says " + expected);
  return {};
}

Outcome<> check_bridge(const BridgeConfig &config, const Interface &named,
                       const ObservedBridge &bridge, const AddResult &previous) {
  const auto what = "bridge " + quoted(config.bridge);
  if (!bridge.link)
    return differs(what + " is missing");
  if (bridge.link->kind != "bridge")
    return differs(what + " is no bridge, its kind is " + quoted(bridge.link->kind));
  if (!bridge.link->up)
    return differs(what + " is down");
  if (config.promiscuous && !bridge.link->promiscuous)
    return differs(what + " is not promiscuous");
  SLUICE_PASS(check_mac(what, named.mac, *bridge.link));
  for (const auto &gateway : gateway_addresses(config, previous)) {
    const bool held = std::any_of(bridge.addresses.begin(), bridge.addresses.end(),
                                  [&](const auto &address) { return address.address == gateway; });
    if (!held)
      return differs(what + " does not hold the gateway address " + gateway.str());
  }
  return {};
}

Outcome<> check_host_link(const BridgeConfig &config, const Interface &named,
                          const std::optional<Link> &link, const ObservedBridge &bridge,
                          const ObservedPod &pod) {
  const auto what = "host link " + quoted(named.name);
  if (!link)
    return differs(what + " is missing");
  if (link->kind != "veth")
    return differs(what + " is no veth, its kind is " + quoted(link->kind));
  if (link->peer != pod.link->index)
    return differs(what + " is not the other end of the container's interface");
  if (link->master != bridge.link->index)
    return differs(what + " is not on bridge " + quoted(config.bridge));
  if (!link->up)
    return differs(what + " is down");
  if (config.hairpin && !link->hairpin)
    return differs(what + " has hairpin mode off");
  return check_mac(what, named.mac, *link);
}

Outcome<> check_pod_link(const BridgeConfig &config, const Interface &named,
                         const ObservedPod &pod) {
  const auto what = "container interface " + quoted(named.name);
  if (!pod.link)
    return differs(what + " is missing");
  if (pod.link->kind != "veth")
    return differs(what + " is no veth, its kind is " + quoted(pod.link->kind));
  if (!pod.link->up && !config.disable_container_interface)
    return differs(what + " is down");
  if (config.mtu_bytes != 0 && pod.link->mtu_bytes != config.mtu_bytes)
    return differs(what + " has the MTU " + std::to_string(pod.link->mtu_bytes) +
                   ", the configuration says " + std::to_string(config.mtu_bytes));
  return check_mac(what, named.mac, *pod.link);
}

Outcome<> check_addresses(const AddResult &previous, const ObservedPod &pod) {
  for (const auto &ip : previous.ips) {
    const bool held =
        std::any_of(pod.addresses.begin(), pod.addresses.end(),
                    [&](const auto &held_ip) { return held_ip.address == ip.address; });
    if (!held)
      return differs("the container does not hold the address " + ip.address.str());
  }
  return {};
}

Outcome<> check_routes(const AddResult &previous, const ObservedPod &pod) {
  for (const auto &wanted : previous.routes) {
    const bool there = std::any_of(pod.routes.begin(), pod.routes.end(), [&](const auto &route) {
      return route.destination == wanted.destination &&
             (!wanted.gateway || route.gateway == wanted.gateway) &&
             (!wanted.table || route.table == *wanted.table);
    });
    if (!there)
      return differs("the container has no route to " + wanted.destination.str() +
                     (wanted.gateway ? " via " + wanted.gateway->str() : ""));
  }
  return {};
}

} // namespace

Outcome<NamedLinks> links_of(const AddResult &previous, const std::string &bridge,
                             const std::string &ifname, const std::string &netns) {
  NamedLinks named;
  for (const auto &interface : previous.interfaces) {
    if (!interface.sandbox.empty() && interface.name == ifname)
      named.pod = interface;
    else if (interface.sandbox.empty() && interface.name == bridge)
      named.bridge = interface;
    else if (interface.sandbox.empty() && named.host.name.empty())
      named.host = interface;
  }
  if (named.pod.name.empty())
    return differs("prevResult names no container interface " + quoted(ifname));
  if (named.pod.sandbox != netns)
    return differs("prevResult has the namespace " + quoted(named.pod.sandbox) + ", CNI_NETNS is " +
                   quoted(netns));
  if (named.bridge.name.empty())
    return differs("prevResult names no bridge " + quoted(bridge));
  if (named.host.name.empty())
    return differs("prevResult names no host link");
  return named;
}

Outcome<> check_bridge_attachment(const BridgeConfig &config, const AddResult &previous,
                                  const NamedLinks &named, const ObservedBridge &bridge,
                                  const std::optional<Link> &host_link, const ObservedPod &pod) {
  SLUICE_PASS(check_pod_link(config, named.pod, pod));
  SLUICE_PASS(check_bridge(config, named.bridge, bridge, previous));
  SLUICE_PASS(check_host_link(config, named.host, host_link, bridge, pod));
  SLUICE_PASS(check_addresses(previous, pod));
  return check_routes(previous, pod);
}

} // namespace sluice::cni
