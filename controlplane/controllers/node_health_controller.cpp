// Watches over the leases of nodes: their Ready condition, their taints, the readiness of their
// pods.
#include "controlplane/controllers/controller.hpp"
#include "controlplane/controllers/node_health.hpp"
#include "controlplane/controllers/scheduling.hpp"
#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"
#include "kube/daemon/log.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr const char *kLeaseNamespace = "kube-node-lease";

class NodeHealthController final : public Controller {
public:
  using Controller::Controller;

  /// Time is ours from the moment that a renewal is seen: clocks of nodes do not matter.
  void observe(const Observation &seen) override {
    const auto &kinds = context_.kinds;
    const auto now = std::chrono::steady_clock::now();
    if (&seen.type == &kinds.nodes) {
      if (seen.deleted)
        nodes_.erase(seen.key.name);
      else
        nodes_.try_emplace(seen.key.name, State{now, "", true}).first->second.dirty = true;
    } else if (&seen.type == &kinds.leases && seen.key.namespace_ == kLeaseNamespace &&
               !seen.deleted) {
      const auto node = nodes_.find(seen.key.name);
      const auto renewed = text(seen.document, "spec.renewTime");
      if (node == nodes_.end() || node->second.renewed == renewed)
        return;
      node->second.dirty |= node->second.lost;
      node->second.heard = now;
      node->second.renewed = renewed;
    }
  }

  std::optional<SteadyTime> sync(SteadyTime now) override {
    std::optional<SteadyTime> next;
    for (auto &[name, state] : nodes_) {
      const bool lost = now - state.heard >= context_.settings.nodeGracePeriod;
      if (lost != state.lost || state.dirty)
        state.dirty = !settle(name, lost);
      if (lost != state.lost)
        kube::daemon::log_info(lost ? "node is silent" : "node is heard again", {{"node", name}});
      state.lost = lost;
      if (!lost)
        next = std::min(next.value_or(SteadyTime::max()),
                        state.heard + context_.settings.nodeGracePeriod);
      if (state.dirty)
        next = now + std::chrono::seconds(1);
    }
    return next;
  }

private:
  struct State {
    SteadyTime heard;
    std::string renewed;
    bool dirty = true, lost = false;
  };

  bool settle(const std::string &name, bool lost) {
    const auto now = format_time(std::chrono::system_clock::now());
    const auto condition = [&](json &node) -> ApiResult<> {
      set_node_heard(node, !lost, now);
      return {};
    };
    const auto taints = [](json &node) -> ApiResult<> {
      set_health_taints(node);
      return {};
    };
    const Key key{"", name};
    const auto &type = context_.kinds.nodes;
    bool good = done(context_.registry.mutate(type, key, condition, {false, "status"}),
                     "set the Ready condition of node " + name);
    good &= done(context_.registry.mutate(type, key, taints), "set the taints of node " + name);
    for (const auto &[pod, view] : context_.cluster.pods)
      if (view.nodeName == name)
        good &= settle_pod(pod, lost, now);
    return good;
  }

  bool settle_pod(const Key &key, bool lost, const std::string &now) {
    const auto change = [&](json &pod) -> ApiResult<> {
      set_pod_heard(pod, !lost, now);
      return {};
    };
    return done(context_.registry.mutate(context_.kinds.pods, key, change, {false, "status"}),
                "set the Ready condition of pod " + key.name);
  }

  std::map<std::string, State> nodes_;
};

} // namespace

std::unique_ptr<Controller> make_node_health_controller(const Context &context) {
  return std::make_unique<NodeHealthController>(context);
}

} // namespace sluice::controlplane
