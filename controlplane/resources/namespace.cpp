#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr const char *kNameLabel = "kubernetes.io/metadata.name";

void set_defaults(json &object) {
  auto *metadata = object_at(object, "metadata");
  if (metadata == nullptr || is_empty(object, "metadata.name"))
    return;
  if (auto *labels = object_at(*metadata, "labels"))
    (*labels)[kNameLabel] = (*metadata)["name"];
}

void prepare_for_create(json &object) {
  if (!object.is_object())
    return;
  object["spec"] = {{"finalizers", {"kubernetes"}}};
  object["status"] = {{"phase", "Active"}};
}

/// spec.finalizers change through .../finalize only, the phase only with deletion.
void prepare_for_update(json &object, const json &old) { object["spec"] = map(old, "spec"); }

void mark_deleted(json &object) {
  if (auto *status = object_at(object, "status"))
    (*status)["phase"] = "Terminating";
}

FieldErrors validate(const json &object, const json *) {
  FieldChecker errors;
  const auto name = text(object, "metadata.name");
  if (!name.empty())
    errors.check("metadata.name", name, dns_label_problem(name));
  const auto finalizers = texts(object, "spec.finalizers");
  for (std::size_t i = 0; i < finalizers.size(); ++i)
    errors.check(indexed("spec.finalizers", i), finalizers[i],
                 qualified_name_problem(finalizers[i]));
  return errors.take();
}

} // namespace

ResourceType namespace_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "Namespace";
  type.plural = "namespaces";
  type.singular = "namespace";
  type.shortNames = {"ns"};
  type.namespaced = false;
  type.hasStatus = true;
  type.subresources = {{"finalize", "Namespace", "", "v1", {"update"}}};
  type.verbs = {"create", "delete", "get", "list", "patch", "update", "watch"};
  type.set_defaults = set_defaults;
  type.validate = validate;
  type.prepare_for_create = prepare_for_create;
  type.prepare_for_update = prepare_for_update;
  type.mark_deleted = mark_deleted;
  type.held_by_finalizers = [](const json &object) {
    return !list(object, "spec.finalizers").empty();
  };
  type.columns = {name_column(), {"Status"}, age_column()};
  type.cells = [](const json &object, SystemTime now) {
    return json::array({text(object, "metadata.name"), text(object, "status.phase"),
                        age(object, "metadata.creationTimestamp", now)});
  };
  type.fieldLabels = {
      {"status.phase", [](const json &object) { return text(object, "status.phase"); }}};
  type.list_merge = list_merges({{"status.conditions", "type"}});
  use_schema(type, R"({
    "spec": {"finalizers": ["string"]}, "status": {"phase": "string", "conditions": "@conditions"}})");
  return type;
}

} // namespace sluice::controlplane
