#pragma once
// From the cluster's Nodes to what this node's kernel should hold. Pure.

#include "kernel/rtnl.hpp"
#include "kube/objects.hpp"
#include "net/ip_address.hpp"

#include <map>
#include <string>
#include <vector>

namespace sluice::node {

struct Settings {
  std::string node_name;
  /// Traffic to these is never masqueraded. The pod networks of all Nodes are added to them.
  std::vector<Cidr> cluster_cidrs;
  std::string bridge = "cni0";
  std::uint32_t mtu_bytes = 0; ///< of pods, for the CNI configuration; 0: the kernel's default
};

/// What of a Node concerns its network.
struct NodeNetwork {
  std::vector<Cidr> pod_cidrs;
  std::vector<IpAddress> internal_ips;
  std::vector<std::string> malformed; ///< texts of these two that are no network, no address
  friend bool operator==(const NodeNetwork &, const NodeNetwork &) = default;
};
NodeNetwork network_of(const kube::Node &node);

/// By Node name.
using Cluster = std::map<std::string, NodeNetwork>;

struct AddressRange {
  IpAddress first, last;
  friend auto operator<=>(const AddressRange &, const AddressRange &) = default;
};
/// The same addresses as disjoint ranges with a gap between any two, sorted.
std::vector<AddressRange> merged(std::vector<Cidr> cidrs);

/// Something about a Node that keeps us from serving it; the others are served.
struct Problem {
  std::string node, what;
  friend auto operator<=>(const Problem &, const Problem &) = default;
};

struct Desired {
  /// The pods of other Nodes behind those Nodes' addresses.
  std::map<Cidr, IpAddress> routes;
  std::vector<Cidr> own_pod_cidrs;
  /// From `pods` to anywhere but `cluster`, packets leave with the node's address.
  std::vector<AddressRange> pods, cluster;
  std::vector<Problem> problems;
};

/// `own` are this node's addresses. A Node is routed to only if its InternalIP is on a network of
/// ours (host-gw); whichever of two Nodes with overlapping pod networks comes later by name is a
/// problem, and our own networks come first of all.
Desired plan(const Cluster &cluster, const Settings &settings,
             const std::vector<kernel::LinkAddress> &own);

} // namespace sluice::node
