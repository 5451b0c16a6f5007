#pragma once
// What of this node the table depends on: from the operator's options and the Node object. Pure.

#include "kube/objects.hpp"
#include "proxy/model/table.hpp"

#include <set>

namespace sluice::proxy {

enum class DetectLocalMode : std::uint8_t {
  cluster_cidr,
  node_cidr,
  bridge_interface,
  interface_name_prefix,
};

struct NodeOptions {
  DetectLocalMode detectLocal = DetectLocalMode::cluster_cidr;
  std::vector<Cidr> clusterCidrs;
  std::string interface; ///< the bridge's name, or the prefix of names
  bool masqueradeAll = false;
  std::uint8_t masqueradeBit = 14;
  /// Where nodePorts answer; empty: the node's primary address.
  std::vector<Cidr> nodePortAddresses;
  /// Whether loopback counts, if nodePortAddresses have it (KubeProxyConfiguration
  /// iptables.localhostNodePorts). IPv4 alone: IPv6 has no route_localnet.
  bool localhostNodePorts = false;
  std::vector<Cidr> serviceCidrs;
  std::optional<IpAddress> bindAddress; ///< replaces the Node's address of its family
};

/// InternalIPs, then ExternalIPs, of one family, in the order of the Node.
std::vector<IpAddress> node_addresses(const kube::Node &node, Family family);

/// Nothing as long as the Node must be known and is not (mode NodeCIDR without podCIDRs). `local`:
/// the addresses of this machine's interfaces, which nodePortAddresses choose from; if they are not
/// known, those of the Node.
std::optional<NodeInfo> node_info(const NodeOptions &options, const std::optional<kube::Node> &node,
                                  Family family,
                                  const std::optional<std::set<IpAddress>> &local = std::nullopt);

/// Those that a nodePort may have: neither of loopback nor link-local nor multicast.
std::set<IpAddress> usable_addresses(const std::vector<IpAddress> &addresses);

/// Label topology.kubernetes.io/zone, or empty.
std::string zone_of(const std::optional<kube::Node> &node);

/// Whether load balancers should send traffic here: the Node is known, is not going away and is not
/// about to be removed by the cluster autoscaler.
bool eligible(const std::optional<kube::Node> &node);

} // namespace sluice::proxy
