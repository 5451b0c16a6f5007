#include "podlet/plan.hpp"

namespace sluice::podlet {
namespace {

bool is_over(const kube::Pod &pod) { return pod.phase == "Succeeded" || pod.phase == "Failed"; }

} // namespace

std::vector<Action> plan(const Pods &desired, const Pods &here) {
  std::map<std::string, Action> actions;
  for (const auto &[uid, pod] : desired) {
    const auto found = here.find(uid);
    const bool leaving = pod.metadata.deletionTimestamp.has_value();
    if (found != here.end()) {
      if (found->second != pod)
        actions.emplace(uid, Action{Step::update, uid});
    } else if (leaving) {
      actions.emplace(uid, Action{Step::release, uid});
    } else if (!is_over(pod)) {
      actions.emplace(uid, Action{Step::begin, uid});
    }
  }
  for (const auto &[uid, pod] : here)
    if (desired.count(uid) == 0)
      actions.emplace(uid, Action{Step::end, uid});
  std::vector<Action> ordered;
  for (auto &[uid, action] : actions)
    ordered.push_back(std::move(action));
  return ordered;
}

} // namespace sluice::podlet
