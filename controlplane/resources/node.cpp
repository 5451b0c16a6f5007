#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr std::string_view kRolePrefix = "node-role.kubernetes.io/";
constexpr const char *kNotReadyTaint = "node.kubernetes.io/not-ready";

/// spec.podCIDR and spec.podCIDRs say the same thing.
void set_defaults(json &object) {
  auto *spec = object_at(object, "spec");
  if (spec == nullptr)
    return;
  const auto cidrs = texts(*spec, "podCIDRs");
  if (!cidrs.empty())
    set_default_text(*spec, "podCIDR", cidrs.front());
  else if (!is_empty(*spec, "podCIDR"))
    (*spec)["podCIDRs"] = json::array({(*spec)["podCIDR"]});
}

bool is_ready(const json &object) {
  for (const auto &condition : list(object, "status.conditions"))
    if (text(condition, "type") == "Ready")
      return text(condition, "status") == "True";
  return false;
}

/// A new node takes no pods before it says that it is ready.
void prepare_for_create(json &object) {
  auto *spec = object_at(object, "spec");
  if (spec == nullptr || is_ready(object))
    return;
  set_default(*spec, "taints", json::array());
  auto &taints = (*spec)["taints"];
  if (!taints.is_array())
    return;
  const bool there = std::any_of(taints.begin(), taints.end(), [](const json &taint) {
    return text(taint, "key") == kNotReadyTaint && text(taint, "effect") == "NoSchedule";
  });
  if (!there)
    taints.push_back({{"key", kNotReadyTaint}, {"effect", "NoSchedule"}});
}

void check_pod_cidrs(FieldChecker &errors, const json &object, const json *old) {
  const auto cidrs = texts(object, "spec.podCIDRs");
  std::set<Family> families;
  for (std::size_t i = 0; i < cidrs.size(); ++i) {
    const auto cidr = Cidr::parse(cidrs[i]);
    errors.check(indexed("spec.podCIDRs", i), cidrs[i], cidr_problem(cidrs[i]));
    if (cidr && !families.insert(cidr->family()).second)
      errors.invalid("spec.podCIDRs", at(object, "spec.podCIDRs"),
                     "may specify no more than one CIDR for each IP family");
  }
  if (!cidrs.empty() && text(object, "spec.podCIDR") != cidrs.front())
    errors.invalid("spec.podCIDRs[0]", cidrs.front(), "must match the value in `spec.podCIDR`");
  if (old != nullptr && !is_empty(*old, "spec.podCIDRs") && texts(*old, "spec.podCIDRs") != cidrs)
    errors.forbidden("spec.podCIDRs",
                     "node updates may not change podCIDR except from \"\" to valid");
}

void check_taints(FieldChecker &errors, const json &object) {
  const auto &taints = list(object, "spec.taints");
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < taints.size(); ++i) {
    const auto field = indexed("spec.taints", i);
    const auto key = text(taints[i], "key"), effect = text(taints[i], "effect");
    errors.check(field + ".key", key, qualified_name_problem(key));
    errors.check(field + ".value", at(taints[i], "value"),
                 label_value_problem(text(taints[i], "value")));
    errors.one_of(taints[i], "effect", field + ".effect",
                  {"NoSchedule", "PreferNoSchedule", "NoExecute"}, true);
    if (!seen.emplace(key, effect).second)
      errors.duplicate(field, taints[i]);
  }
}

FieldErrors validate(const json &object, const json *old) {
  FieldChecker errors;
  check_pod_cidrs(errors, object, old);
  check_taints(errors, object);
  return errors.take();
}

std::string status_text(const json &object) {
  std::string status = "Unknown";
  for (const auto &condition : list(object, "status.conditions"))
    if (text(condition, "type") == "Ready")
      status = text(condition, "status") == "True" ? "Ready" : "NotReady";
  return flag(object, "spec.unschedulable") ? status + ",SchedulingDisabled" : status;
}

std::string roles_text(const json &object) {
  std::set<std::string> roles;
  for (const auto &[key, value] : map(object, "metadata.labels").items()) {
    if (key.rfind(kRolePrefix, 0) == 0 && key.size() > kRolePrefix.size())
      roles.insert(key.substr(kRolePrefix.size()));
    else if (key == "kubernetes.io/role" && !text(value, "").empty())
      roles.insert(text(value, ""));
  }
  return joined_or({roles.begin(), roles.end()}, "<none>");
}

std::string address_text(const json &object, std::string_view kind) {
  for (const auto &address : list(object, "status.addresses"))
    if (text(address, "type") == kind)
      return text(address, "address");
  return "<none>";
}

std::string info(const json &object, const std::string &field, std::string_view otherwise) {
  const auto value = text(object, "status.nodeInfo." + field);
  return value.empty() ? std::string(otherwise) : value;
}

json cells(const json &object, SystemTime now) {
  return json::array({text(object, "metadata.name"), status_text(object), roles_text(object),
                      age(object, "metadata.creationTimestamp", now),
                      info(object, "kubeletVersion", ""), address_text(object, "InternalIP"),
                      address_text(object, "ExternalIP"), info(object, "osImage", "<unknown>"),
                      info(object, "kernelVersion", "<unknown>"),
                      info(object, "containerRuntimeVersion", "<unknown>")});
}

constexpr std::string_view kSchema = R"({
  "spec": {
    "podCIDR": "string", "podCIDRs": ["string"], "providerID": "string", "externalID": "string",
    "unschedulable": "bool", "configSource": "any",
    "taints": [{"key": "string", "value": "string", "effect": "string", "timeAdded": "time"}]},
  "status": {
    "capacity": {"*": "quantity"}, "allocatable": {"*": "quantity"}, "phase": "string",
    "conditions": "@conditions", "addresses": [{"type": "string", "address": "string"}],
    "daemonEndpoints": {"kubeletEndpoint": {"Port": "int"}},
    "nodeInfo": {"machineID": "string", "systemUUID": "string", "bootID": "string",
      "kernelVersion": "string", "osImage": "string", "containerRuntimeVersion": "string",
      "kubeletVersion": "string", "kubeProxyVersion": "string", "operatingSystem": "string",
      "architecture": "string", "swap": "any"},
    "images": "any", "volumesInUse": ["string"], "volumesAttached": "any", "config": "any",
    "runtimeHandlers": "any", "features": "any"}})";

} // namespace

ResourceType node_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "Node";
  type.plural = "nodes";
  type.singular = "node";
  type.shortNames = {"no"};
  type.namespaced = false;
  type.hasStatus = true;
  type.set_defaults = set_defaults;
  type.validate = validate;
  type.prepare_for_create = prepare_for_create;
  type.columns = {name_column(),
                  {"Status"},
                  {"Roles"},
                  age_column(),
                  {"Version"},
                  wide("Internal-IP"),
                  wide("External-IP"),
                  wide("OS-Image"),
                  wide("Kernel-Version"),
                  wide("Container-Runtime")};
  type.cells = cells;
  type.fieldLabels = {{"spec.unschedulable", [](const json &object) {
                         return flag(object, "spec.unschedulable") ? "true" : "false";
                       }}};
  type.list_merge = list_merges(
      {{"spec.podCIDRs", ""}, {"status.conditions", "type"}, {"status.addresses", "type"}});
  use_schema(type, kSchema);
  return type;
}

} // namespace sluice::controlplane
