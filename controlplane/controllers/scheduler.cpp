// Binds Pods without a node to one.
#include "controlplane/controllers/controller.hpp"
#include "controlplane/controllers/node_health.hpp"
#include "controlplane/controllers/scheduling.hpp"
#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kRetry = std::chrono::seconds(5);

bool is_finished(const kube::Pod &pod) { return pod.phase == "Succeeded" || pod.phase == "Failed"; }

class Scheduler final : public Controller {
public:
  using Controller::Controller;

  void observe(const Observation &seen) override {
    const auto &kinds = context_.kinds;
    if (&seen.type == &kinds.nodes) {
      look_again_ = true;
    } else if (&seen.type == &kinds.pods) {
      const bool waits = !seen.deleted && is_empty(seen.document, "spec.nodeName") &&
                         is_empty(seen.document, "metadata.deletionTimestamp") &&
                         is_empty(seen.document, "spec.schedulingGates") &&
                         text(seen.document, "spec.schedulerName") == "default-scheduler";
      if (!waits) {
        waiting_.erase(seen.key);
        assumed_.erase(seen.key);
      } else if (!assumed_.contains(seen.key) && waiting_.insert(seen.key).second) {
        look_again_ = true;
      }
    }
  }

  /// Pods that fit nowhere are tried again when a node changes.
  std::optional<SteadyTime> sync(SteadyTime now) override {
    if (waiting_.empty() || !look_again_)
      return std::nullopt;
    look_again_ = false;
    auto nodes = loads();
    bool all = true;
    for (const auto &key : std::set<Key>(waiting_))
      all &= schedule(key, nodes);
    look_again_ = !all;
    return all ? std::nullopt : std::optional(now + kRetry);
  }

private:
  std::vector<NodeLoad> loads() const {
    std::map<std::string, std::size_t> counts;
    for (const auto &[key, pod] : context_.cluster.pods)
      if (!pod.nodeName.empty() && !is_finished(pod))
        ++counts[pod.nodeName];
    for (const auto &[key, node] : assumed_)
      ++counts[node];
    std::vector<NodeLoad> nodes;
    for (const auto &[name, node] : context_.cluster.nodes)
      nodes.push_back({&node, counts[name]});
    return nodes;
  }

  bool schedule(const Key &key, std::vector<NodeLoad> &nodes) {
    const auto pod = context_.cluster.pods.find(key);
    if (pod == context_.cluster.pods.end())
      return true;
    const auto node = choose_node(pod->second, nodes);
    if (!node)
      return tell(key, node.error().what());
    const auto bound = bind(key, *node);
    if (!done(bound, "bind pod " + key.name + " to " + *node))
      return false;
    waiting_.erase(key);
    told_.erase(key);
    if (!bound)
      return true;
    assumed_[key] = *node;
    for (auto &load : nodes)
      load.pods += load.node->metadata.name == *node ? 1 : 0;
    record_event(context_, context_.kinds.pods, (*bound)->document(), "Normal", "Scheduled",
                 "Successfully assigned " + key.namespace_ + "/" + key.name + " to " + *node);
    return true;
  }

  ApiResult<StoredPtr> bind(const Key &key, const std::string &node) {
    const auto now = format_time(std::chrono::system_clock::now());
    const auto change = [&](json &pod) -> ApiResult<> {
      auto *spec = object_at(pod, "spec");
      if (spec == nullptr || !is_empty(*spec, "nodeName"))
        return {};
      (*spec)["nodeName"] = node;
      set_condition(pod, {"PodScheduled", "True", "", "", now});
      return {};
    };
    return context_.registry.mutate(context_.kinds.pods, key, change, {false, "binding"});
  }

  /// Says once per reason why a pod waits.
  bool tell(const Key &key, const std::string &why) {
    if (told_[key] == why)
      return true;
    told_[key] = why;
    const auto now = format_time(std::chrono::system_clock::now());
    const auto change = [&](json &pod) -> ApiResult<> {
      set_condition(pod, {"PodScheduled", "False", "Unschedulable", why, now});
      return {};
    };
    const auto written =
        context_.registry.mutate(context_.kinds.pods, key, change, {false, "status"});
    if (written)
      record_event(context_, context_.kinds.pods, (*written)->document(), "Warning",
                   "FailedScheduling", why);
    return done(written, "say why pod " + key.name + " waits");
  }

  std::set<Key> waiting_;
  /// Bound to a node, but not yet seen so: changes arrive later than they are made.
  std::map<Key, std::string> assumed_;
  std::map<Key, std::string> told_;
  bool look_again_ = false;
};

} // namespace

std::unique_ptr<Controller> make_scheduler(const Context &context) {
  return std::make_unique<Scheduler>(context);
}

} // namespace sluice::controlplane
