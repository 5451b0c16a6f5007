// Furnishes new namespaces and empties those that go away.
#include "controlplane/controllers/controller.hpp"
#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(500);

ApiResult<> ensure(Registry &registry, const ResourceType &type, json object) {
  const Key key{text(object, "metadata.namespace"), text(object, "metadata.name")};
  if (registry.get(type, key))
    return {};
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
  const auto created = registry.create(type, std::move(object));
  if (!created && created.error().code != 409)
    return refuse(created.error());
  return {};
}

/// Creates the object, or brings `fields` of the one that is there to what `object` says.
ApiResult<> ensure_same(Registry &registry, const ResourceType &type, const json &object,
                        std::initializer_list<const char *> fields) {
  if (auto there = ensure(registry, type, object); !there)
    return there;
  const Key key{text(object, "metadata.namespace"), text(object, "metadata.name")};
  const auto changed = registry.mutate(type, key, [&](json &document) -> ApiResult<> {
    for (const auto *field : fields)
      document[field] = object[field];
    return {};
  });
  if (!changed)
    return refuse(changed.error());
  return {};
}

/// What every namespace has: the account `default` and the ConfigMap `kube-root-ca.crt`.
ApiResult<> furnish_namespace(const Context &context, const std::string &name) {
  const json account = {{"metadata", {{"name", "default"}, {"namespace", name}}}};
  if (auto made = ensure(context.registry, context.kinds.accounts, account); !made)
    return made;
  if (context.settings.rootCa.empty())
    return {};
  const json config_map = {{"metadata", {{"name", "kube-root-ca.crt"}, {"namespace", name}}},
                           {"data", {{"ca.crt", context.settings.rootCa}}}};
  return ensure_same(context.registry, context.kinds.config_maps, config_map, {"data"});
}

class NamespaceController final : public Controller {
public:
  using Controller::Controller;

  void observe(const Observation &seen) override {
    const auto &kinds = context_.kinds;
    if (&seen.type == &kinds.namespaces) {
      const bool leaving = !is_empty(seen.document, "metadata.deletionTimestamp");
      leaving_.erase(seen.key.name);
      unfurnished_.erase(seen.key.name);
      if (!seen.deleted)
        (leaving ? leaving_ : unfurnished_).insert(seen.key.name);
    } else if (seen.deleted &&
               (&seen.type == &kinds.accounts || &seen.type == &kinds.config_maps)) {
      const auto home = context_.registry.get(kinds.namespaces, {"", seen.key.namespace_});
      if (home && !(*home)->deleting)
        unfurnished_.insert(seen.key.namespace_);
    }
  }

  std::optional<SteadyTime> sync(SteadyTime now) override {
    std::set<std::string> again;
    for (const auto &name : unfurnished_)
      if (!done(furnish_namespace(context_, name), "furnish namespace " + name))
        again.insert(name);
    unfurnished_ = std::move(again);
    for (const auto &name : leaving_)
      if (is_emptied(name))
        done(finalize(name), "finalize namespace " + name);
    return leaving_.empty() && unfurnished_.empty() ? std::nullopt : std::optional(now + kRetry);
  }

private:
  /// Deletes what is left; true if nothing was.
  bool is_emptied(const std::string &name) {
    bool emptied = true;
    for (const auto &type : resource_types()) {
      if (!type.namespaced || !type.storedApiVersion.empty())
        continue;
      ListOptions options;
      options.selection.namespace_ = name;
      const auto found = context_.registry.list(type, options);
      for (const auto &object : found ? found->items : std::vector<StoredPtr>()) {
        emptied = false;
        if (!object->deleting)
          done(context_.registry.remove(type, object->key),
               "delete " + type.plural + " " + object->key.name + " of namespace " + name);
      }
    }
    return emptied;
  }

  ApiResult<StoredPtr> finalize(const std::string &name) {
    const auto change = [](json &document) -> ApiResult<> {
      if (auto *spec = object_at(document, "spec"))
        (*spec)["finalizers"] = json::array();
      return {};
    };
    return context_.registry.mutate(context_.kinds.namespaces, {"", name}, change,
                                    {false, "finalize"});
  }

  std::set<std::string> unfurnished_, leaving_;
};

} // namespace

std::unique_ptr<Controller> make_namespace_controller(const Context &context) {
  return std::make_unique<NamespaceController>(context);
}

} // namespace sluice::controlplane
