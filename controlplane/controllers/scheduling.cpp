#include "controlplane/controllers/scheduling.hpp"

namespace sluice::controlplane {
namespace {

bool tolerates(const kube::Toleration &toleration, const kube::Taint &taint) {
  if (!toleration.effect.empty() && toleration.effect != taint.effect)
    return false;
  if (toleration.operator_ == "Exists")
    return toleration.key.empty() || toleration.key == taint.key;
  return toleration.key == taint.key && toleration.value == taint.value;
}

/// Why the node cannot take the pod, or an empty text.
std::string obstacle(const kube::Pod &pod, const kube::Node &node) {
  const kube::Taint unschedulable{"node.kubernetes.io/unschedulable", "", "NoSchedule"};
  if (node.metadata.deletionTimestamp)
    return "node(s) were being deleted";
  if (node.unschedulable && !sluice::controlplane::tolerates(pod, unschedulable))
    return "node(s) were unschedulable";
  if (!std::includes(node.metadata.labels.begin(), node.metadata.labels.end(),
                     pod.nodeSelector.begin(), pod.nodeSelector.end()))
    return "node(s) didn't match Pod's node affinity/selector";
  for (const auto &taint : node.taints)
    if ((taint.effect == "NoSchedule" || taint.effect == "NoExecute") &&
        !sluice::controlplane::tolerates(pod, taint))
      return "node(s) had untolerated taint {" + taint.key + ": " + taint.value + "}";
  return condition_status(node.conditions, "Ready") == "True" ? "" : "node(s) were not ready";
}

std::string sentence(std::size_t nodes, const std::map<std::string, int> &obstacles) {
  if (nodes == 0)
    return "no nodes available to schedule pods";
  std::string text = "0/" + std::to_string(nodes) + " nodes are available: ";
  bool first = true;
  for (const auto &[reason, count] : obstacles) {
    text += (first ? "" : ", ") + std::to_string(count) + " " + reason;
    first = false;
  }
  return text + ".";
}

} // namespace

bool tolerates(const kube::Pod &pod, const kube::Taint &taint) {
  return std::any_of(pod.tolerations.begin(), pod.tolerations.end(),
                     [&](const kube::Toleration &one) { return tolerates(one, taint); });
}

std::string condition_status(const std::vector<kube::Condition> &conditions,
                             std::string_view type) {
  for (const auto &condition : conditions)
    if (condition.type == type)
      return condition.status;
  return "";
}

Result<std::string> choose_node(const kube::Pod &pod, const std::vector<NodeLoad> &nodes) {
  const NodeLoad *best = nullptr;
  std::map<std::string, int> obstacles;
  for (const auto &candidate : nodes) {
    const auto reason = obstacle(pod, *candidate.node);
    if (!reason.empty())
      ++obstacles[reason];
    else if (best == nullptr || candidate.pods < best->pods)
      best = &candidate;
  }
  if (best == nullptr)
    return fail(Errc::unavailable, sentence(nodes.size(), obstacles));
  return best->node->metadata.name;
}

} // namespace sluice::controlplane
