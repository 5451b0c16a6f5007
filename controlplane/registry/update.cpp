// What a create, an update and a deletion do to a document, before anything is locked.
#include "controlplane/registry/metadata.hpp"
#include "controlplane/registry/registry_impl.hpp"
#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using SystemClock = std::chrono::system_clock;
constexpr int kAttempts = 64;
constexpr std::size_t kGeneratedBaseLimit = 58;

Key key_of(const json &object) {
  return {text(object, "metadata.namespace"), text(object, "metadata.name")};
}

/// Runs `step` only if the kind has one.
template <class Function, class... Arguments>
void run(const Function &function, Arguments &&...arguments) {
  if (function)
    function(std::forward<Arguments>(arguments)...);
}

/// What the kind itself says about its name is more exact than what holds for all.
FieldErrors problems(const ResourceType &type, const json &object, const json *old) {
  auto errors = type.validate ? type.validate(object, old) : FieldErrors();
  const bool name_is_checked =
      std::any_of(errors.begin(), errors.end(),
                  [](const FieldError &error) { return error.field == "metadata.name"; });
  auto shared = validate_metadata(type, object, old);
  if (name_is_checked)
    std::erase_if(shared, [](const FieldError &error) { return error.field == "metadata.name"; });
  errors.insert(errors.begin(), shared.begin(), shared.end());
  return errors;
}

void prepare_new(const ResourceType &type, json &object) {
  json &metadata = object["metadata"];
  if (!type.namespaced)
    metadata.erase("namespace");
  if (type.hasStatus)
    object.erase("status");
  stamp_new(object, SystemClock::now());
  run(type.set_defaults, object);
  run(type.prepare_for_create, object);
}

void prepare_update(const ResourceType &type, json &after, const json &before) {
  if (!type.namespaced)
    after["metadata"].erase("namespace");
  carry_over(after, before);
  if (type.hasStatus && before.contains("status"))
    after["status"] = before["status"];
  else if (type.hasStatus)
    after.erase("status");
  run(type.set_defaults, after);
  run(type.prepare_for_update, after, before);
  bump_generation(after, before);
}

void prepare_status_update(const ResourceType &type, json &after, const json &before) {
  json object = before;
  object["metadata"] = after["metadata"];
  if (after.contains("status"))
    object["status"] = after["status"];
  else
    object.erase("status");
  after = std::move(object);
  carry_over(after, before);
  run(type.set_defaults, after);
  run(type.prepare_for_status_update, after, before);
}

/// Name, namespace, uid and resourceVersion of `after` must be absent or those of `before`.
ApiResult<> check_identity(const ResourceType &type, json &after, const json &before) {
  json &metadata = after["metadata"];
  const auto name = text(before, "metadata.name");
  for (const char *field : {"name", "namespace"}) {
    const auto value = text(metadata, field);
    const auto current = text(before["metadata"], field);
    if (value.empty() && !current.empty())
      metadata[field] = current;
    else if (value != current)
      return refuse(bad_request("the " + std::string(field) + " of the object (" + value +
                                ") does not match the " + field + " on the URL (" + current + ")"));
  }
  const auto uid = text(metadata, "uid");
  if (!uid.empty() && uid != text(before, "metadata.uid"))
    return refuse(conflict(type, name,
                           "Precondition failed: UID in precondition: " + uid +
                               ", UID in object meta: " + text(before, "metadata.uid")));
  const auto version = text(metadata, "resourceVersion");
  if (!version.empty() && version != text(before, "metadata.resourceVersion"))
    return refuse(conflict(type, name,
                           "the object has been modified; please apply your changes to the "
                           "latest version and try again"));
  return {};
}

/// True if nothing keeps an object whose deletion was asked for.
bool may_go(const ResourceType &type, const json &object) {
  return !is_empty(object, "metadata.deletionTimestamp") && !has_finalizers(object) &&
         number(object, "metadata.deletionGracePeriodSeconds") == 0 &&
         !(type.held_by_finalizers && type.held_by_finalizers(object));
}

void mark_deletion(json &object, std::int64_t grace) {
  json &metadata = object["metadata"];
  metadata["deletionTimestamp"] = format_time(SystemClock::now() + std::chrono::seconds(grace));
  metadata["deletionGracePeriodSeconds"] = grace;
}

} // namespace

ApiResult<StoredPtr> Registry::Impl::create(const ResourceType &type, json object,
                                            const WriteOptions &options) {
  if (auto shape = check_shape(type, object); !shape)
    return refuse(shape.error());
  if (!text(object, "metadata.resourceVersion").empty())
    return refuse(bad_request("resourceVersion should not be set on objects to be created"));
  const auto base = text(object, "metadata.generateName").substr(0, kGeneratedBaseLimit);
  const bool generated = text(object, "metadata.name").empty() && !base.empty();
  for (int attempt = 0;; ++attempt) {
    json document = object;
    if (generated)
      document["metadata"]["name"] = base + random_suffix();
    prepare_new(type, document);
    if (auto errors = problems(type, document, nullptr); !errors.empty())
      return refuse(invalid(type, text(document, "metadata.name"), std::move(errors)));
    Draft draft{.operation = AdmissionRequest::Operation::create,
                .type = &type,
                .key = key_of(document),
                .subresource = "",
                .previous = nullptr,
                .object = std::make_shared<json>(std::move(document)),
                .old = nullptr,
                .dry_run = options.dry_run};
    const auto name = draft.key.name;
    auto outcome = commit(std::move(draft));
    if (outcome)
      return std::move(*outcome);
    if (!generated || attempt == kAttempts)
      return refuse(already_exists(type, name));
  }
}

ApiResult<StoredPtr> Registry::Impl::mutate(const ResourceType &type, const Key &key,
                                            const Change &change, const WriteOptions &options) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto old = newest(type, key);
    if (!old)
      return refuse(not_found(type, key.name));
    json before = old->document();
    json after = before;
    if (auto changed = change(after); !changed)
      return refuse(changed.error());
    bool raced = false;
    auto outcome = update_once(type, old, std::move(before), std::move(after), options, raced);
    if (!raced)
      return outcome;
  }
  return refuse(conflict(type, key.name, "too many others write it; please try again"));
}

ApiResult<StoredPtr> Registry::Impl::update_once(const ResourceType &type, const StoredPtr &old,
                                                 json before, json after,
                                                 const WriteOptions &options, bool &raced) {
  if (auto shape = check_shape(type, after); !shape)
    return refuse(shape.error());
  if (auto identity = check_identity(type, after, before); !identity)
    return refuse(identity.error());
  if (options.subresource == "status")
    prepare_status_update(type, after, before);
  else if (options.subresource.empty())
    prepare_update(type, after, before);
  else
    carry_over(after, before);
  if (after == before)
    return unchanged(old);
  const bool checked = options.subresource.empty() || options.subresource == "status";
  if (auto errors = checked ? problems(type, after, &before) : FieldErrors(); !errors.empty())
    return refuse(invalid(type, old->key.name, std::move(errors)));
  const bool last = may_go(type, after);
  auto outcome = commit({.operation = last ? AdmissionRequest::Operation::remove
                                           : AdmissionRequest::Operation::update,
                         .type = &type,
                         .key = old->key,
                         .subresource = options.subresource,
                         .previous = old,
                         .object = std::make_shared<json>(std::move(after)),
                         .old = std::make_shared<const json>(std::move(before)),
                         .dry_run = options.dry_run});
  raced = !outcome;
  return outcome ? std::move(*outcome) : refuse(internal_error("raced"));
}

/// The state may not be on disk yet if somebody else has just written it.
ApiResult<StoredPtr> Registry::Impl::unchanged(const StoredPtr &object) const {
  if (!state_.wait_for(object->resourceVersion, std::chrono::seconds(10)))
    return refuse(internal_error("the store does not answer"));
  return object;
}

ApiResult<DeleteResult> Registry::Impl::remove(const ResourceType &type, const Key &key,
                                               const DeleteOptions &options) {
  const bool is_namespace = &type == namespaces_;
  if (is_namespace &&
      (key.name == "default" || key.name == "kube-system" || key.name == "kube-public"))
    return refuse(forbidden(type, key.name, "this namespace may not be deleted"));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto old = newest(type, key);
    if (!old)
      return refuse(not_found(type, key.name));
    json before = old->document();
    if (!options.uid.empty() && options.uid != old->uid)
      return refuse(conflict(type, key.name,
                             "Precondition failed: UID in precondition: " + options.uid +
                                 ", UID in object meta: " + old->uid));
    if (!options.resourceVersion.empty() &&
        options.resourceVersion != std::to_string(old->resourceVersion))
      return refuse(conflict(
          type, key.name,
          "Precondition failed: ResourceVersion in precondition: " + options.resourceVersion +
              ", ResourceVersion in object meta: " + std::to_string(old->resourceVersion)));
    const auto usual = type.default_grace_seconds ? type.default_grace_seconds(before) : 0;
    const auto grace =
        usual == 0 ? 0 : std::max<std::int64_t>(0, options.gracePeriodSeconds.value_or(usual));
    json after = before;
    const bool again = old->deleting;
    if (!again || grace < number(before, "metadata.deletionGracePeriodSeconds"))
      mark_deletion(after, grace);
    if (!again)
      run(type.mark_deleted, after);
    const bool gone = may_go(type, after);
    if (!gone && after == before)
      return DeleteResult{old, false};
    auto outcome =
        commit({.operation = gone ? AdmissionRequest::Operation::remove
                                  : AdmissionRequest::Operation::update,
                .type = &type,
                .key = key,
                .subresource = "",
                .previous = old,
                .object = std::make_shared<json>(std::move(gone && usual == 0 ? before : after)),
                .old = nullptr,
                .dry_run = options.dry_run,
                .admitted = gone});
    if (outcome && !*outcome)
      return refuse(outcome->error());
    if (outcome)
      return DeleteResult{**outcome, gone};
  }
  return refuse(conflict(type, key.name, "too many others write it; please try again"));
}

} // namespace sluice::controlplane
