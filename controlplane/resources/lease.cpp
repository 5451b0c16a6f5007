#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

FieldErrors validate(const json &object, const json *) {
  FieldChecker errors;
  const json &duration = at(object, "spec.leaseDurationSeconds");
  if (!duration.is_null() && number(duration, "") <= 0)
    errors.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0");
  const json &transitions = at(object, "spec.leaseTransitions");
  if (!transitions.is_null() && number(transitions, "") < 0)
    errors.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0");
  const json &holder = at(object, "spec.holderIdentity");
  if (holder.is_string() && is_empty(holder, ""))
    errors.invalid("spec.holderIdentity", holder, "must not be empty");
  for (const auto *field : {"spec.acquireTime", "spec.renewTime"}) {
    const json &time = at(object, field);
    if (!time.is_null() && !parse_time(text(time, "")))
      errors.invalid(field, time, "must be a time in RFC 3339 format");
  }
  return errors.take();
}

} // namespace

ResourceType lease_type() {
  ResourceType type;
  type.group = "coordination.k8s.io";
  type.version = "v1";
  type.kind = "Lease";
  type.plural = "leases";
  type.singular = "lease";
  type.durability = Durability::coalesced;
  type.validate = validate;
  type.columns = {name_column(), {"Holder"}, age_column()};
  type.cells = [](const json &object, SystemTime now) {
    return json::array({text(object, "metadata.name"), text(object, "spec.holderIdentity"),
                        age(object, "metadata.creationTimestamp", now)});
  };
  type.list_merge = list_merges();
  use_schema(type, R"({"spec": {
    "holderIdentity": "string", "leaseDurationSeconds": "int", "acquireTime": "time",
    "renewTime": "time", "leaseTransitions": "int", "strategy": "string",
    "preferredHolder": "string"}})");
  return type;
}

} // namespace sluice::controlplane
