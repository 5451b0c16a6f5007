#pragma once
// A pod on a veth of its own with no bridge: the node routes to it. Two layouts of addresses. Pure.
//
//                     ptp (the reference plugins')           routed (mode of `sluice`)
//   pod's address     10.1.0.5/24, no kernel route           10.1.0.5/32
//   pod's gateway     IPAM's, on the host end                169.254.1.1 and fe80::1, on no link
//   routes of the pod gateway/32, network via the gateway    gateway/32, default via the gateway
//   the host end has  gateway/32                             no address
//   the node has      10.1.0.5 dev veth...                   10.1.0.5 dev veth...

#include "cni/pod_link.hpp"
#include "cni/pod_masquerade.hpp"
#include "cni/protocol/config.hpp"
#include "cni/protocol/result.hpp"
#include "kernel/rtnl.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

/// The routes to pods on the node carry this rtm_protocol; `sluice-node` has another.
inline constexpr std::uint8_t kPodRouteProtocol = 84;

enum class Layout : std::uint8_t { ptp, routed };

struct DirectConfig {
  Layout layout = Layout::ptp;
  MasqueradeBy masquerade = MasqueradeBy::nobody; ///< ipMasq, ipMasqBackend
  std::uint32_t mtu_bytes = 0;                    ///< 0: the kernel's default
  bool duplicate_address_detection = false;
  std::optional<MacAddress> mac; ///< of the pod's end
};

/// Errors: 7 names a key with a wrong value or says that there is no IPAM; 2 names a key that asks
/// for something that a pod without bridge cannot have.
Outcome<DirectConfig> parse_direct_config(const NetworkConfig &config, std::string_view args,
                                          Layout layout);

/// `dns` has a field, be it an empty list: then it replaces IPAM's.
bool names_dns(const NetworkConfig &config);

/// From what IPAM gave to what the layout makes of it: addresses, gateways and routes. Code 7 if
/// `ptp` gets an address without gateway.
Outcome<> complete_direct(Layout layout, AddResult &result);

/// The pod's addresses in their networks, which are not masqueraded, from what IPAM gave. Code 7 if
/// that names no network but the pod itself.
Outcome<std::vector<InterfaceAddress>> masqueraded_pods(const AddResult &from_ipam);

/// In the host's namespace: the veth, born with its other end in `netns_fd`.
kernel::RtnlBatch plan_direct_link(const DirectConfig &config, const PodLink &link, int netns_fd);

/// What the host end holds: in layout ptp the gateways.
std::vector<IpAddress> host_addresses(Layout layout, const AddResult &result);

/// Then, when the index is known: gateways, the routes to the pod, and its neighbour entries, so
/// that the first packet waits for no question. One sendmsg(2).
kernel::RtnlBatch plan_direct_host(const DirectConfig &config, const PodLink &link,
                                   kernel::IfIndex host, const AddResult &result);

/// In the pod's namespace. One sendmsg(2).
kernel::RtnlBatch plan_direct_pod(const DirectConfig &config, const PodLink &link,
                                  kernel::IfIndex pod, const AddResult &result);

/// What ADD answers: host end, pod's end, and the addresses on the last.
AddResult make_direct_result(const DirectConfig &config, const PodLink &link,
                             const std::string &sandbox, AddResult addresses);

} // namespace sluice::cni
