// Deletes objects whose owners are all gone (background deletion).
#include "controlplane/controllers/controller.hpp"
#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);
using Dependent = std::pair<const ResourceType *, Key>;

class GarbageCollector final : public Controller {
public:
  using Controller::Controller;

  void observe(const Observation &seen) override {
    const Dependent self(&seen.type, seen.key);
    forget(self);
    if (seen.deleted) {
      const auto dependents = by_owner_.find(text(seen.document, "metadata.uid"));
      if (dependents != by_owner_.end())
        dirty_.insert(dependents->second.begin(), dependents->second.end());
      return;
    }
    for (const auto &owner : list(seen.document, "metadata.ownerReferences")) {
      by_owner_[text(owner, "uid")].insert(self);
      owners_[self].insert(text(owner, "uid"));
      dirty_.insert(self);
    }
  }

  std::optional<SteadyTime> sync(SteadyTime now) override {
    std::set<Dependent> again;
    for (const auto &dependent : dirty_)
      if (!collect(dependent))
        again.insert(dependent);
    dirty_ = std::move(again);
    return dirty_.empty() ? std::nullopt : std::optional(now + kRetry);
  }

private:
  void forget(const Dependent &self) {
    for (const auto &uid : owners_[self]) {
      auto &dependents = by_owner_[uid];
      dependents.erase(self);
      if (dependents.empty())
        by_owner_.erase(uid);
    }
    owners_.erase(self);
  }

  /// An owner of a kind that is not served here may well exist.
  bool exists(const json &owner, const std::string &home) const {
    const auto *type = find_by_kind(text(owner, "apiVersion"), text(owner, "kind"));
    if (type == nullptr)
      return true;
    const auto found = context_.registry.get(
        *type, {type->namespaced ? home : std::string(), text(owner, "name")});
    return found ? (*found)->uid == text(owner, "uid") : found.error().code != 404;
  }

  bool collect(const Dependent &dependent) {
    const auto &[type, key] = dependent;
    const auto stored = context_.registry.get(*type, key);
    if (!stored || (*stored)->deleting)
      return true;
    const auto document = (*stored)->document();
    const auto &owners = list(document, "metadata.ownerReferences");
    const bool owned =
        owners.empty() || std::any_of(owners.begin(), owners.end(), [&](const json &owner) {
          return exists(owner, key.namespace_);
        });
    if (owned)
      return true;
    DeleteOptions options;
    options.uid = (*stored)->uid;
    options.resourceVersion = std::to_string((*stored)->resourceVersion);
    return done(context_.registry.remove(*type, key, options),
                "delete " + type->plural + " " + key.name + ", whose owner is gone");
  }

  std::map<std::string, std::set<Dependent>> by_owner_; ///< by uid of the owner
  std::map<Dependent, std::set<std::string>> owners_;
  std::set<Dependent> dirty_;
};

} // namespace

std::unique_ptr<Controller> make_garbage_collector(const Context &context) {
  return std::make_unique<GarbageCollector>(context);
}

} // namespace sluice::controlplane
