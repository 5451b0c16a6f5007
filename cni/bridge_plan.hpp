#pragma once
// What bridge mode does to the kernel, decided without touching it. Pure.

#include "cni/bridge_config.hpp"
#include "cni/pod_link.hpp"
#include "cni/protocol/result.hpp"
#include "kernel/rtnl.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

/// The bridge, or the link that holds the gateway's addresses, as the kernel has it; `link` is
/// empty if there is none.
struct ObservedBridge {
  std::optional<kernel::Link> link;
  std::vector<kernel::LinkAddress> addresses;
  bool settled = false; ///< see Rtnl::settle
};

/// Fills in what `isGateway` and `isDefaultGateway` say of the addresses that IPAM gave: a gateway
/// for each (network + 1 if IPAM named none) and a default route for each family that has none. A
/// route without gateway gets its family's.
void complete_addresses(const BridgeConfig &config, AddResult &result);

/// The gateway addresses that the bridge must hold; empty without isGateway.
std::vector<InterfaceAddress> gateway_addresses(const BridgeConfig &config,
                                                const AddResult &result);

/// From the observed bridge to the wanted one; empty if it is as wanted. `mac` is for a new bridge:
/// an address of its own keeps the bridge's from changing with its ports. Errors of code 7: a link
/// of that name is no bridge; the bridge holds another address where the gateway's must be.
Outcome<kernel::RtnlBatch> plan_bridge(const BridgeConfig &config,
                                       const std::vector<InterfaceAddress> &gateways,
                                       const ObservedBridge &observed, MacAddress mac,
                                       bool netfilter);

/// The same for the gateway's link of pods in a VLAN: a veth whose other end is a port of the
/// bridge in that VLAN.
Outcome<kernel::RtnlBatch> plan_vlan_gateway(const BridgeConfig &config,
                                             const std::vector<InterfaceAddress> &gateways,
                                             const ObservedBridge &observed,
                                             const kernel::Link &bridge);

/// In the host's namespace: the veth, born with its other end in `netns_fd`, and the neighbour
/// entries of its addresses, so that the first packet to the pod waits for no ARP. One sendmsg(2).
kernel::RtnlBatch plan_host_link(const BridgeConfig &config, const PodLink &link,
                                 const kernel::Link &bridge, kernel::IfIndex gateway, int netns_fd,
                                 const AddResult &result);

/// In the pod's namespace: up, addresses, routes, and the gateways' MAC if the bridge is the
/// gateway. One sendmsg(2).
kernel::RtnlBatch plan_pod_link(const BridgeConfig &config, kernel::IfIndex link,
                                MacAddress gateway_mac, const AddResult &result);

/// What ADD answers: bridge, host end, pod's end with the addresses, and the gateway's link if it
/// is not the bridge.
AddResult make_result(const BridgeConfig &config, const PodLink &link, const kernel::Link &bridge,
                      const kernel::Link &gateway, const std::string &sandbox, AddResult addresses,
                      const Dns &dns);

} // namespace sluice::cni
