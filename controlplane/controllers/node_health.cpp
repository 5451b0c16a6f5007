#include "controlplane/controllers/node_health.hpp"

#include "controlplane/controllers/scheduling.hpp"
#include "controlplane/controllers/views.hpp"
#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr const char *kNotReady = "node.kubernetes.io/not-ready";
constexpr const char *kUnreachable = "node.kubernetes.io/unreachable";
constexpr const char *kUnschedulable = "node.kubernetes.io/unschedulable";
constexpr const char *kNodeLost = "NodeStatusUnknown";

bool is_health_taint(const std::string &key) {
  return key == kNotReady || key == kUnreachable || key == kUnschedulable;
}

const json *find_condition(const json &object, std::string_view type) {
  for (const auto &condition : list(object, "status.conditions"))
    if (text(condition, "type") == type)
      return &condition;
  return nullptr;
}

std::string reason_of(const json *condition) {
  return condition == nullptr ? "" : text(*condition, "reason");
}

std::string status_of(const json *condition) {
  return condition == nullptr ? "" : text(*condition, "status");
}

} // namespace

std::vector<kube::Taint> health_taints(const std::vector<kube::Taint> &taints,
                                       std::string_view ready, bool unschedulable) {
  std::vector<kube::Taint> result;
  for (const auto &taint : taints)
    if (!is_health_taint(taint.key))
      result.push_back(taint);
  if (unschedulable)
    result.push_back({kUnschedulable, "", "NoSchedule"});
  if (ready == "True")
    return result;
  const char *key = ready == "Unknown" ? kUnreachable : kNotReady;
  result.push_back({key, "", "NoSchedule"});
  if (!ready.empty())
    result.push_back({key, "", "NoExecute"});
  return result;
}

void set_health_taints(json &node) {
  auto *spec = object_at(node, "spec");
  if (spec == nullptr)
    return;
  const auto seen = view<kube::Node>(node.dump());
  const auto wanted =
      health_taints(seen.taints, condition_status(seen.conditions, "Ready"), seen.unschedulable);
  if (wanted.size() == seen.taints.size() &&
      std::is_permutation(wanted.begin(), wanted.end(), seen.taints.begin()))
    return;
  json taints = json::array();
  for (const auto &taint : wanted) {
    json one = {{"key", taint.key}, {"effect", taint.effect}};
    if (!taint.value.empty())
      one["value"] = taint.value;
    taints.push_back(std::move(one));
  }
  if (taints.empty())
    spec->erase("taints");
  else
    (*spec)["taints"] = std::move(taints);
}

void set_condition(json &object, const kube::Condition &condition) {
  auto *status = object_at(object, "status");
  if (status == nullptr)
    return;
  set_default(*status, "conditions", json::array());
  json &conditions = (*status)["conditions"];
  if (!conditions.is_array())
    return;
  const json *old = find_condition(object, condition.type);
  const bool same_status = status_of(old) == condition.status;
  json next = {{"type", condition.type},
               {"status", condition.status},
               {"reason", condition.reason},
               {"message", condition.message},
               {"lastTransitionTime", same_status && old != nullptr
                                          ? text(*old, "lastTransitionTime")
                                          : condition.lastTransitionTime}};
  for (auto &one : conditions)
    if (text(one, "type") == condition.type) {
      one.update(next);
      return;
    }
  conditions.push_back(std::move(next));
}

void set_node_heard(json &node, bool heard, const std::string &now) {
  const auto *ready = find_condition(node, "Ready");
  const bool lost = reason_of(ready) == kNodeLost;
  if (!heard && !lost)
    set_condition(node,
                  {"Ready", "Unknown", kNodeLost, "the node has stopped to renew its lease", now});
  else if (heard && lost)
    set_condition(node, {"Ready", "True", "NodeHeard", "the node renews its lease again", now});
}

void set_pod_heard(json &pod, bool heard, const std::string &now) {
  const auto *ready = find_condition(pod, "Ready");
  const bool lost = reason_of(ready) == kNodeLost;
  if (!heard && status_of(ready) == "True")
    set_condition(pod,
                  {"Ready", "False", kNodeLost, "the node has stopped to renew its lease", now});
  else if (heard && lost)
    set_condition(pod, {"Ready", "True", "", "", now});
}

} // namespace sluice::controlplane
