// Deletes Pods whose node is gone: nobody else would ever finish them.
#include "controlplane/controllers/controller.hpp"
#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);

class PodCleaner final : public Controller {
public:
  using Controller::Controller;

  void observe(const Observation &seen) override {
    const auto now = std::chrono::steady_clock::now();
    if (&seen.type == &context_.kinds.pods) {
      const auto node = text(seen.document, "spec.nodeName");
      orphans_.erase(seen.key);
      if (!seen.deleted && !node.empty() && context_.cluster.nodes.count(node) == 0)
        orphans_[seen.key] = now + context_.settings.orphanGracePeriod;
    } else if (&seen.type == &context_.kinds.nodes) {
      for (const auto &[key, pod] : context_.cluster.pods)
        if (pod.nodeName == seen.key.name) {
          orphans_.erase(key);
          if (seen.deleted)
            orphans_[key] = now;
        }
    }
  }

  std::optional<SteadyTime> sync(SteadyTime now) override {
    std::optional<SteadyTime> next;
    for (auto orphan = orphans_.begin(); orphan != orphans_.end();) {
      auto &[key, due] = *orphan;
      if (due <= now && done(remove(key), "delete pod " + key.name + " of a node that is gone")) {
        orphan = orphans_.erase(orphan);
        continue;
      }
      due = std::max(due, now + (due <= now ? kRetry : SteadyTime::duration::zero()));
      next = std::min(next.value_or(due), due);
      ++orphan;
    }
    return next;
  }

private:
  ApiResult<DeleteResult> remove(const Key &key) {
    DeleteOptions options;
    options.gracePeriodSeconds = 0;
    return context_.registry.remove(context_.kinds.pods, key, options);
  }

  std::map<Key, SteadyTime> orphans_;
};

} // namespace

std::unique_ptr<Controller> make_pod_cleaner(const Context &context) {
  return std::make_unique<PodCleaner>(context);
}

} // namespace sluice::controlplane
