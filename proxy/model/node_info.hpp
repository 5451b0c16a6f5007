#pragma once
// What of this node the table depends on: from the operator's options and the Node object. Pure.

#include "kube/objects.hpp"
#include "proxy/model/table.hpp"

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
  std::vector<Cidr> serviceCidrs;
  std::optional<IpAddress> bindAddress; ///< replaces the Node's address of its family
};

/// InternalIPs, then ExternalIPs, of one family, in the order of the Node.
std::vector<IpAddress> node_addresses(const kube::Node &node, Family family);

/// Nothing as long as the Node must be known and is not (mode NodeCIDR without podCIDRs).
std::optional<NodeInfo> node_info(const NodeOptions &options, const std::optional<kube::Node> &node,
                                  Family family);

/// Label topology.kubernetes.io/zone, or empty.
std::string zone_of(const std::optional<kube::Node> &node);

/// Whether load balancers should send traffic here: the Node is known, is not going away and is not
/// about to be removed by the cluster autoscaler.
bool eligible(const std::optional<kube::Node> &node);

} // namespace sluice::proxy
