#pragma once
// What the control plane says about a node that stopped, or began again, to renew its lease. Pure:
// edits of documents, which leave a document that needs no change as it is.

#include "controlplane/resources/resource.hpp"
#include "kube/objects.hpp"

namespace sluice::controlplane {

/// The taints that a node with this Ready status should have, in place of the same kind of taints
/// among `taints`: "True" none, "False" not-ready, "Unknown" unreachable; unschedulable besides.
std::vector<kube::Taint> health_taints(const std::vector<kube::Taint> &taints,
                                       std::string_view ready, bool unschedulable);

/// spec.taints of `node` brought to health_taints().
void set_health_taints(json &node);

/// status.conditions of `node`: Ready is Unknown if it is not `heard`; a Ready that was made
/// Unknown here is True again once it is. `now` is RFC 3339.
void set_node_heard(json &node, bool heard, const std::string &now);

/// The same for a Pod of that node: not Ready while the node is not heard.
void set_pod_heard(json &pod, bool heard, const std::string &now);

/// Sets one of status.conditions; `lastTransitionTime` moves only if the status changes.
void set_condition(json &object, const kube::Condition &condition);

} // namespace sluice::controlplane
