#pragma once
// The wires of a cluster: a bridge in the fabric's namespace, and a veth from it to each node. Pure
// plans; `create` applies them.

#include "cluster/plan.hpp"
#include "kernel/rtnl.hpp"

namespace sluice::cluster {

/// In the fabric's namespace, in this order: the bridge with its addresses, then one port a node,
/// whose other end (eth0) is born in the node's namespace. `node_netns_fds` are in the order of
/// `plan.nodes`, borrowed.
kernel::RtnlBatch plan_fabric(const Plan &plan, const std::vector<int> &node_netns_fds);

/// In the node's namespace: eth0 up with its addresses, and default routes to the fabric, which
/// answers for nothing outside; they let a local program reach service addresses.
kernel::RtnlBatch plan_node_links(const Plan &plan, const NodePlan &node);

} // namespace sluice::cluster
