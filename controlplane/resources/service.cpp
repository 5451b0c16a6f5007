#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/service_parts.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

void default_ports(json &spec) {
  auto *ports = find(spec, "ports");
  if (ports == nullptr || !ports->is_array())
    return;
  for (auto &port : *ports) {
    set_default_text(port, "protocol", "TCP");
    const json &target = at(port, "targetPort");
    if (port.is_object() && (is_empty(target, "") || target == 0) && port.contains("port"))
      port["targetPort"] = port["port"];
  }
}

void set_defaults(json &object) {
  auto *spec = object_at(object, "spec");
  if (spec == nullptr)
    return;
  set_default_text(*spec, "type", "ClusterIP");
  set_default_text(*spec, "sessionAffinity", "None");
  const auto type = text(*spec, "type");
  if (text(*spec, "sessionAffinity") == "ClientIP") {
    if (auto *config = object_at(*spec, "sessionAffinityConfig"))
      if (auto *client = object_at(*config, "clientIP"))
        set_default(*client, "timeoutSeconds", 10800);
  } else {
    spec->erase("sessionAffinityConfig");
  }
  default_ports(*spec);
  if (type != "ExternalName")
    set_default_text(*spec, "internalTrafficPolicy", "Cluster");
  if (type == "NodePort" || type == "LoadBalancer")
    set_default_text(*spec, "externalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer")
    set_default(*spec, "allocateLoadBalancerNodePorts", true);
  for (const auto *empty : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"})
    if (spec->contains(empty) && is_empty(*spec, empty))
      spec->erase(empty);
}

/// clusterIP is clusterIPs[0]; a client may give either.
void pair_cluster_ips(json &spec, const json *old_spec) {
  const auto one = text(spec, "clusterIP");
  const auto many = texts(spec, "clusterIPs");
  const bool one_changed = old_spec != nullptr && one != text(*old_spec, "clusterIP");
  const bool many_changed = old_spec != nullptr && many != texts(*old_spec, "clusterIPs");
  if (one.empty() && !many.empty() && (old_spec == nullptr || many_changed))
    spec["clusterIP"] = many.front();
  else if (one.empty())
    spec.erase("clusterIPs");
  else if (many.empty() || (one_changed && !many_changed))
    spec["clusterIPs"] = json::array({one});
}

void prepare_for_create(json &object) {
  if (!object.is_object())
    return;
  object["status"] = {{"loadBalancer", json::object()}};
  if (auto *spec = object_at(object, "spec"))
    pair_cluster_ips(*spec, nullptr);
}

/// A client that sends an object without what the server had allocated keeps it.
void keep_allocated(json &spec, const json &old_spec) {
  if (needs_cluster_ip(old_spec) && needs_cluster_ip(spec)) {
    if (is_empty(spec, "clusterIP") && is_empty(spec, "clusterIPs"))
      for (const auto *field : {"clusterIP", "clusterIPs"})
        if (old_spec.contains(field))
          spec[field] = old_spec[field];
    if (is_empty(spec, "clusterIPs") && text(spec, "clusterIP") == text(old_spec, "clusterIP") &&
        old_spec.contains("clusterIPs"))
      spec["clusterIPs"] = old_spec["clusterIPs"];
    for (const auto *field : {"ipFamilies", "ipFamilyPolicy"})
      if (is_empty(spec, field) && old_spec.contains(field))
        spec[field] = old_spec[field];
  }
  if (needs_node_port(old_spec) && needs_node_port(spec))
    keep_node_ports(spec, old_spec);
  if (needs_health_check_node_port(old_spec) && needs_health_check_node_port(spec) &&
      number(spec, "healthCheckNodePort") == 0)
    spec["healthCheckNodePort"] = number(old_spec, "healthCheckNodePort");
}

void drop_if_unchanged(json &spec, const json &old_spec, const char *field) {
  if (at(spec, field) == at(old_spec, field))
    spec.erase(field);
}

/// What belonged to the old type only and was not touched by the client goes with it.
void drop_old_type(json &spec, const json &old_spec) {
  if (text(old_spec, "type") == "ExternalName" && text(spec, "type") != "ExternalName")
    drop_if_unchanged(spec, old_spec, "externalName");
  if (needs_cluster_ip(old_spec) && !needs_cluster_ip(spec))
    for (const auto *field :
         {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"})
      drop_if_unchanged(spec, old_spec, field);
  if (needs_node_port(old_spec) && !needs_node_port(spec)) {
    drop_node_ports(spec, old_spec);
    drop_if_unchanged(spec, old_spec, "externalTrafficPolicy");
  }
  if (needs_health_check_node_port(old_spec) && !needs_health_check_node_port(spec))
    drop_if_unchanged(spec, old_spec, "healthCheckNodePort");
  if (text(old_spec, "type") == "LoadBalancer" && text(spec, "type") != "LoadBalancer")
    for (const auto *field : {"allocateLoadBalancerNodePorts", "loadBalancerClass"})
      drop_if_unchanged(spec, old_spec, field);
}

void prepare_for_update(json &object, const json &old) {
  auto *spec = object_at(object, "spec");
  if (spec == nullptr)
    return;
  const json &old_spec = map(old, "spec");
  drop_old_type(*spec, old_spec);
  pair_cluster_ips(*spec, &old_spec);
  keep_allocated(*spec, old_spec);
  if (text(*spec, "type") != "LoadBalancer" && text(old_spec, "type") == "LoadBalancer")
    object["status"] = {{"loadBalancer", json::object()}};
}

void prepare_for_status_update(json &object, const json &) {
  auto *ingress = find(object, "status.loadBalancer.ingress");
  if (ingress == nullptr || !ingress->is_array())
    return;
  for (auto &one : *ingress)
    if (!is_empty(one, "ip"))
      set_default_text(one, "ipMode", "VIP");
}

std::string external_ip_text(const json &object) {
  const auto type = text(object, "spec.type");
  auto external = texts(object, "spec.externalIPs");
  if (type == "ExternalName")
    return text(object, "spec.externalName");
  if (type != "LoadBalancer")
    return joined_or(external, "<none>");
  std::vector<std::string> addresses;
  for (const auto &ingress : list(object, "status.loadBalancer.ingress"))
    addresses.push_back(text(ingress, "ip", text(ingress, "hostname")));
  addresses.insert(addresses.end(), external.begin(), external.end());
  return joined_or(addresses, "<pending>");
}

json cells(const json &object, SystemTime now) {
  std::vector<std::string> ports;
  for (const auto &port : list(object, "spec.ports")) {
    const auto node_port = number(port, "nodePort");
    ports.push_back(std::to_string(number(port, "port")) +
                    (node_port != 0 ? ":" + std::to_string(node_port) : "") + "/" +
                    text(port, "protocol"));
  }
  const auto ip = text(object, "spec.clusterIP");
  return json::array({text(object, "metadata.name"), text(object, "spec.type"),
                      ip.empty() ? "<none>" : ip, external_ip_text(object),
                      joined_or(ports, "<none>"), age(object, "metadata.creationTimestamp", now),
                      labels_text(at(object, "spec.selector"))});
}

constexpr std::string_view kSchema = R"({
  "spec": {
    "type": "string", "clusterIP": "string", "clusterIPs": ["string"], "ipFamilies": ["string"],
    "ipFamilyPolicy": "string", "selector": "map",
    "ports": [{"name": "string", "protocol": "string", "port": "int", "targetPort": "intstr",
      "nodePort": "int", "appProtocol": "string"}],
    "externalIPs": ["string"], "sessionAffinity": "string",
    "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": "int"}},
    "loadBalancerIP": "string", "loadBalancerSourceRanges": ["string"],
    "loadBalancerClass": "string", "externalName": "string", "externalTrafficPolicy": "string",
    "internalTrafficPolicy": "string", "healthCheckNodePort": "int",
    "publishNotReadyAddresses": "bool", "allocateLoadBalancerNodePorts": "bool",
    "trafficDistribution": "string"},
  "status": {"conditions": "@conditions", "loadBalancer": {"ingress": [{
    "ip": "string", "hostname": "string", "ipMode": "string",
    "ports": [{"port": "int", "protocol": "string", "error": "string"}]}]}}})";

} // namespace

ResourceType service_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "Service";
  type.plural = "services";
  type.singular = "service";
  type.shortNames = {"svc"};
  type.categories = {"all"};
  type.hasStatus = true;
  type.set_defaults = set_defaults;
  type.validate = validate_service;
  type.prepare_for_create = prepare_for_create;
  type.prepare_for_update = prepare_for_update;
  type.prepare_for_status_update = prepare_for_status_update;
  type.columns = {name_column(), {"Type"},     {"Cluster-IP"},  {"External-IP"},
                  {"Port(s)"},   age_column(), wide("Selector")};
  type.cells = cells;
  type.fieldLabels = {
      {"spec.clusterIP", [](const json &object) { return text(object, "spec.clusterIP"); }},
      {"spec.type", [](const json &object) { return text(object, "spec.type"); }}};
  type.list_merge = list_merges({{"spec.ports", "port"}, {"status.conditions", "type"}});
  use_schema(type, kSchema);
  return type;
}

} // namespace sluice::controlplane
