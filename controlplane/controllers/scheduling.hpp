#pragma once
// Where a Pod goes: onto the node with the fewest Pods among those that can take it. Pure.

#include "kube/objects.hpp"

namespace sluice::controlplane {

struct NodeLoad {
  const kube::Node *node;
  std::size_t pods = 0; ///< bound to it and not finished
};

/// The name of the node; or `unavailable` with the sentence of the FailedScheduling event
/// ("0/2 nodes are available: 1 node(s) were unschedulable, ..."). Ties go to the first in order.
Result<std::string> choose_node(const kube::Pod &pod, const std::vector<NodeLoad> &nodes);

bool tolerates(const kube::Pod &pod, const kube::Taint &taint);
/// The status of the condition of that type, or an empty text.
std::string condition_status(const std::vector<kube::Condition> &conditions, std::string_view type);

} // namespace sluice::controlplane
