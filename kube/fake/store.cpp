#include "kube/fake/store.hpp"

namespace sluice::kube::fake {
namespace {

constexpr const char *kNow = "2026-01-01T00:00:00Z";

ObjectKey key_of(const RestKind &kind, const json &object) {
  const json meta = object.value("metadata", json::object());
  return {kind.namespaced ? meta.value("namespace", "default") : "", meta.value("name", "")};
}

std::string field_of(const json &object, std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  const json::json_pointer pointer("/" + path);
  if (!object.contains(pointer))
    return "";
  const json &value = object[pointer];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string resource_name(const RestKind &kind) {
  const std::string group(kind.groupVersion.substr(0, kind.groupVersion.find('/')));
  const bool core = kind.groupVersion.find('/') == std::string_view::npos;
  return std::string(kind.plural) + (core ? "" : "." + group);
}

} // namespace

json status_document(int code, const std::string &reason, const std::string &message,
                     const json &details) {
  json status = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::object()},
                 {"status", "Failure"}, {"message", message}, {"reason", reason},
                 {"code", code}};
  if (!details.is_null())
    status["details"] = details;
  return status;
}

json Refusal::status() const { return status_document(code, reason, message, details); }

bool Scope::covers(const json &object) const {
  if (object.is_null())
    return false;
  const json &meta = object.at("metadata");
  if (!namespace_.empty() && meta.value("namespace", "") != namespace_)
    return false;
  return labels.matches(meta.value("labels", Labels())) &&
         fields.matches([&](const std::string &field) { return field_of(object, field); });
}

std::string Event::line_for(const Scope &scope) const {
  const bool was = scope.covers(before), is = scope.covers(after);
  if (!was && !is)
    return "";
  json object = is ? after : before;
  if (!is) // its last state, but with the version of its going
    object["metadata"]["resourceVersion"] = std::to_string(version);
  const char *type = !was ? "ADDED" : is ? "MODIFIED" : "DELETED";
  return json{{"type", type}, {"object", object}}.dump() + "\n";
}

void Store::compact() {
  oldest_ = version_;
  history_.clear();
}

const json *Store::find(const RestKind &kind, const ObjectKey &key) const {
  const auto shelf = shelves_.find(&kind);
  if (shelf == shelves_.end())
    return nullptr;
  const auto found = shelf->second.find(key);
  return found == shelf->second.end() ? nullptr : &found->second;
}

std::vector<json> Store::list(const RestKind &kind, const Scope &scope) const {
  std::vector<json> result;
  if (const auto shelf = shelves_.find(&kind); shelf != shelves_.end())
    for (const auto &[key, object] : shelf->second)
      if (scope.covers(object))
        result.push_back(object);
  return result;
}

std::vector<const Event *> Store::since(const RestKind &kind, std::uint64_t version) const {
  std::vector<const Event *> events;
  for (const Event &event : history_)
    if (event.version > version && event.kind == &kind)
      events.push_back(&event);
  return events;
}

Outcome<const json *> Store::must_find(const RestKind &kind, const ObjectKey &key) const {
  if (const json *found = find(kind, key))
    return found;
  return tl::unexpected(Refusal{404,
                                "NotFound",
                                resource_name(kind) + " \"" + key.name + "\" not found",
                                {{"name", key.name}, {"kind", kind.plural}}});
}

/// A null object is a deletion.
json Store::commit(const RestKind &kind, const ObjectKey &key, json object) {
  json before = nullptr;
  if (const json *known = find(kind, key))
    before = *known;
  ++version_;
  if (object.is_null()) {
    shelves_[&kind].erase(key);
  } else {
    object["metadata"]["resourceVersion"] = std::to_string(version_);
    shelves_[&kind][key] = object;
  }
  history_.push_back({version_, &kind, std::move(before), object});
  return object;
}

/// What would not change anything is no change; the last finalizer that goes lets the object go.
json Store::update(const RestKind &kind, const ObjectKey &key, json object) {
  const json &before = *find(kind, key);
  object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"];
  if (object == before)
    return before;
  const json &meta = object["metadata"];
  if (meta.contains("deletionTimestamp") && meta.value("finalizers", json::array()).empty() &&
      !before["metadata"].value("finalizers", json::array()).empty()) {
    commit(kind, key, nullptr);
    return object;
  }
  return commit(kind, key, std::move(object));
}

Outcome<json> Store::create(const RestKind &kind, const std::string &namespace_, json object) {
  json &meta = object["metadata"];
  if (!namespace_.empty())
    meta["namespace"] = namespace_;
  if (meta.value("name", "").empty() && !meta.value("generateName", "").empty())
    meta["name"] = meta.value("generateName", "") + "x" + std::to_string(++names_);
  const ObjectKey key = key_of(kind, object);
  if (key.name.empty())
    return tl::unexpected(Refusal{422, "Invalid", "metadata.name: Required value"});
  if (find(kind, key))
    return tl::unexpected(Refusal{409, "AlreadyExists",
                                  resource_name(kind) + " \"" + key.name + "\" already exists"});
  return put(kind, std::move(object));
}

Outcome<json> Store::replace(const RestKind &kind, const ObjectKey &key, json object,
                             std::string_view subresource) {
  const auto found = must_find(kind, key);
  if (!found)
    return tl::unexpected(found.error());
  const json &before = **found;
  const std::string wanted = object.value("metadata", json::object()).value("resourceVersion", "");
  if (!wanted.empty() && wanted != before["metadata"]["resourceVersion"])
    return tl::unexpected(Refusal{409, "Conflict",
                                  "Operation cannot be fulfilled on " + resource_name(kind) +
                                      " \"" + key.name + "\": the object has been modified"});
  json after = subresource == "status" ? before : std::move(object);
  if (subresource == "status") {
    after["status"] = object.value("status", json::object());
  } else {
    for (const char *field : {"uid", "creationTimestamp", "deletionTimestamp"})
      if (before["metadata"].contains(field))
        after["metadata"][field] = before["metadata"][field];
    if (before.contains("status"))
      after["status"] = before["status"];
  }
  return update(kind, key, std::move(after));
}

Outcome<json> Store::patch(const RestKind &kind, const ObjectKey &key, const json &patch,
                           std::string_view subresource) {
  const auto found = must_find(kind, key);
  if (!found)
    return tl::unexpected(found.error());
  json after = **found;
  after.merge_patch(patch);
  return replace(kind, key, std::move(after), subresource);
}

Outcome<json> Store::remove(const RestKind &kind, const ObjectKey &key,
                            std::optional<std::int64_t> grace_seconds) {
  const auto found = must_find(kind, key);
  if (!found)
    return tl::unexpected(found.error());
  json object = **found;
  json &meta = object["metadata"];
  const bool has_finalizers = !meta.value("finalizers", json::array()).empty();
  const bool graceful =
      kind.kind == "Pod" && !field_of(object, "spec.nodeName").empty() && grace_seconds != 0;
  if (!has_finalizers && !graceful) {
    commit(kind, key, nullptr);
    return json{{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}};
  }
  if (meta.contains("deletionTimestamp"))
    return object;
  meta["deletionTimestamp"] = kNow;
  meta["deletionGracePeriodSeconds"] = graceful ? grace_seconds.value_or(30) : 0;
  return commit(kind, key, std::move(object));
}

json Store::put(const RestKind &kind, json object) {
  object["apiVersion"] = kind.groupVersion;
  object["kind"] = kind.kind;
  const ObjectKey key = key_of(kind, object);
  json &meta = object["metadata"];
  if (kind.namespaced)
    meta["namespace"] = key.namespace_;
  const json *known = find(kind, key);
  if (!meta.contains("uid"))
    meta["uid"] = known ? (*known)["metadata"]["uid"] : json("uid-" + std::to_string(version_ + 1));
  if (!meta.contains("creationTimestamp"))
    meta["creationTimestamp"] = kNow;
  return commit(kind, key, std::move(object));
}

bool Store::erase(const RestKind &kind, const ObjectKey &key) {
  if (!find(kind, key))
    return false;
  commit(kind, key, nullptr);
  return true;
}

} // namespace sluice::kube::fake
