#include "cni/bridge_check.hpp"

#include <algorithm>

namespace sluice::cni {

using kernel::Link;

namespace {

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
  if (config.port_isolation && !link->isolated)
    return differs(what + " is not isolated, portIsolation is true");
  return check_mac(what, named.mac, *link);
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
  SLUICE_PASS(
      check_pod_link(named.pod, pod, !config.disable_container_interface, config.mtu_bytes));
  SLUICE_PASS(check_bridge(config, named.bridge, bridge, previous));
  SLUICE_PASS(check_host_link(config, named.host, host_link, bridge, pod));
  SLUICE_PASS(check_addresses(previous, pod));
  return check_routes(previous, pod);
}

} // namespace sluice::cni
