#include "controlplane/controllers/views.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

kube::Labels read_labels(const json &labels) {
  kube::Labels result;
  for (const auto &[key, value] : map(labels, "").items())
    if (value.is_string())
      result.emplace(key, value.get<std::string>());
  return result;
}

Protocol read_protocol(const json &object) {
  return parse_protocol(text(object, "protocol", "TCP")).value_or(Protocol::tcp);
}

kube::IntOrString read_int_or_string(const json &value) {
  if (value.is_string())
    return {0, value.get<std::string>()};
  return {static_cast<std::int32_t>(number(value, "")), ""};
}

std::optional<bool> read_flag(const json &object, std::string_view path) {
  const json &value = at(object, path);
  return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}

std::vector<kube::Condition> read_conditions(const json &document) {
  std::vector<kube::Condition> conditions;
  for (const auto &one : list(document, "status.conditions"))
    conditions.push_back({text(one, "type"), text(one, "status"), text(one, "reason"),
                          text(one, "message"), text(one, "lastTransitionTime")});
  return conditions;
}

std::vector<kube::Container> read_containers(const json &document, std::string_view path) {
  std::vector<kube::Container> containers;
  for (const auto &one : list(document, path)) {
    kube::Container container;
    container.name = text(one, "name");
    for (const auto &port : list(one, "ports"))
      container.ports.push_back({text(port, "name"),
                                 static_cast<std::int32_t>(number(port, "containerPort")),
                                 read_protocol(port)});
    containers.push_back(std::move(container));
  }
  return containers;
}

std::vector<std::string> read_names(const json &items) {
  std::vector<std::string> names;
  for (const auto &item : items)
    names.push_back(text(item, "name"));
  return names;
}

kube::SliceEndpoint read_endpoint(const json &document) {
  kube::SliceEndpoint endpoint;
  endpoint.addresses = texts(document, "addresses");
  endpoint.conditions = {read_flag(document, "conditions.ready"),
                         read_flag(document, "conditions.serving"),
                         read_flag(document, "conditions.terminating")};
  endpoint.nodeName = text(document, "nodeName");
  endpoint.zone = text(document, "zone");
  endpoint.hostname = text(document, "hostname");
  endpoint.hintZones = read_names(list(document, "hints.forZones"));
  endpoint.hintNodes = read_names(list(document, "hints.forNodes"));
  endpoint.targetKind = text(document, "targetRef.kind");
  endpoint.targetNamespace = text(document, "targetRef.namespace");
  endpoint.targetName = text(document, "targetRef.name");
  endpoint.targetUid = text(document, "targetRef.uid");
  return endpoint;
}

json write_names(const std::vector<std::string> &names) {
  json result = json::array();
  for (const auto &name : names)
    result.push_back({{"name", name}});
  return result;
}

json write_endpoint(const kube::SliceEndpoint &endpoint) {
  json document = {{"addresses", endpoint.addresses}, {"conditions", json::object()}};
  const auto &conditions = endpoint.conditions;
  for (const auto &[name, value] :
       {std::pair("ready", conditions.ready), std::pair("serving", conditions.serving),
        std::pair("terminating", conditions.terminating)})
    if (value)
      document["conditions"][name] = *value;
  for (const auto &[name, value] :
       {std::pair("nodeName", &endpoint.nodeName), std::pair("zone", &endpoint.zone),
        std::pair("hostname", &endpoint.hostname)})
    if (!value->empty())
      document[name] = *value;
  if (!endpoint.hintZones.empty())
    document["hints"]["forZones"] = write_names(endpoint.hintZones);
  if (!endpoint.hintNodes.empty())
    document["hints"]["forNodes"] = write_names(endpoint.hintNodes);
  if (!endpoint.targetName.empty())
    document["targetRef"] = {{"kind", endpoint.targetKind},
                             {"namespace", endpoint.targetNamespace},
                             {"name", endpoint.targetName},
                             {"uid", endpoint.targetUid}};
  return document;
}

json write_port(const kube::SlicePort &port) {
  json document = {{"name", port.name.value_or("")},
                   {"protocol", name_of(port.protocol.value_or(Protocol::tcp))}};
  if (port.port)
    document["port"] = *port.port;
  if (!port.appProtocol.empty())
    document["appProtocol"] = port.appProtocol;
  return document;
}

json write_owner(const kube::OwnerReference &owner) {
  return {{"apiVersion", owner.apiVersion},
          {"kind", owner.kind},
          {"name", owner.name},
          {"uid", owner.uid},
          {"controller", owner.controller},
          {"blockOwnerDeletion", owner.blockOwnerDeletion}};
}

kube::ServiceType read_service_type(const std::string &name) {
  using enum kube::ServiceType;
  if (name == "NodePort")
    return NodePort;
  if (name == "LoadBalancer")
    return LoadBalancer;
  return name == "ExternalName" ? ExternalName : ClusterIP;
}

} // namespace

kube::ObjectMeta read_meta(const json &document) {
  kube::ObjectMeta meta;
  const json &metadata = map(document, "metadata");
  meta.name = text(metadata, "name");
  meta.namespace_ = text(metadata, "namespace");
  meta.uid = text(metadata, "uid");
  meta.resourceVersion = text(metadata, "resourceVersion");
  meta.generateName = text(metadata, "generateName");
  meta.labels = read_labels(at(metadata, "labels"));
  meta.annotations = read_labels(at(metadata, "annotations"));
  meta.finalizers = texts(metadata, "finalizers");
  meta.creationTimestamp = text(metadata, "creationTimestamp");
  if (!is_empty(metadata, "deletionTimestamp"))
    meta.deletionTimestamp = text(metadata, "deletionTimestamp");
  for (const auto &one : list(metadata, "ownerReferences"))
    meta.ownerReferences.push_back({text(one, "apiVersion"), text(one, "kind"), text(one, "name"),
                                    text(one, "uid"), flag(one, "controller"),
                                    flag(one, "blockOwnerDeletion")});
  return meta;
}

kube::Pod read_pod(const json &document) {
  kube::Pod pod;
  pod.metadata = read_meta(document);
  pod.nodeName = text(document, "spec.nodeName");
  pod.hostname = text(document, "spec.hostname");
  pod.subdomain = text(document, "spec.subdomain");
  pod.schedulerName = text(document, "spec.schedulerName");
  pod.hostNetwork = flag(document, "spec.hostNetwork");
  pod.nodeSelector = read_labels(at(document, "spec.nodeSelector"));
  for (const auto &one : list(document, "spec.tolerations"))
    pod.tolerations.push_back(
        {text(one, "key"), text(one, "operator"), text(one, "value"), text(one, "effect")});
  pod.containers = read_containers(document, "spec.containers");
  pod.initContainers = read_containers(document, "spec.initContainers");
  pod.phase = text(document, "status.phase");
  for (const auto &one : list(document, "status.podIPs"))
    pod.podIPs.push_back(text(one, "ip"));
  if (pod.podIPs.empty() && !is_empty(document, "status.podIP"))
    pod.podIPs.push_back(text(document, "status.podIP"));
  pod.conditions = read_conditions(document);
  return pod;
}

kube::Node read_node(const json &document) {
  kube::Node node;
  node.metadata = read_meta(document);
  node.podCIDRs = texts(document, "spec.podCIDRs");
  node.unschedulable = flag(document, "spec.unschedulable");
  for (const auto &one : list(document, "spec.taints"))
    node.taints.push_back({text(one, "key"), text(one, "value"), text(one, "effect")});
  for (const auto &one : list(document, "status.addresses"))
    node.addresses.push_back({text(one, "type"), text(one, "address")});
  node.conditions = read_conditions(document);
  return node;
}

kube::Service read_service(const json &document) {
  kube::Service service;
  const json &spec = map(document, "spec");
  service.metadata = read_meta(document);
  service.type = read_service_type(text(spec, "type"));
  service.clusterIPs = texts(spec, "clusterIPs");
  for (const auto &family : texts(spec, "ipFamilies"))
    service.ipFamilies.push_back(family == "IPv6" ? Family::ipv6 : Family::ipv4);
  for (const auto &one : list(spec, "ports"))
    service.ports.push_back({text(one, "name"), read_protocol(one),
                             static_cast<std::int32_t>(number(one, "port")),
                             static_cast<std::int32_t>(number(one, "nodePort")),
                             read_int_or_string(at(one, "targetPort")), text(one, "appProtocol")});
  service.selector = read_labels(at(spec, "selector"));
  service.publishNotReadyAddresses = flag(spec, "publishNotReadyAddresses");
  service.trafficDistribution = text(spec, "trafficDistribution");
  return service;
}

kube::EndpointSlice read_slice(const json &document) {
  kube::EndpointSlice slice;
  slice.metadata = read_meta(document);
  slice.addressType = text(document, "addressType");
  for (const auto &one : list(document, "ports")) {
    kube::SlicePort port;
    port.name = text(one, "name");
    port.protocol = read_protocol(one);
    if (at(one, "port").is_number_integer())
      port.port = static_cast<std::int32_t>(number(one, "port"));
    port.appProtocol = text(one, "appProtocol");
    slice.ports.push_back(std::move(port));
  }
  for (const auto &one : list(document, "endpoints"))
    slice.endpoints.push_back(read_endpoint(one));
  return slice;
}

json write_slice(const kube::EndpointSlice &slice) {
  const auto &meta = slice.metadata;
  json document = {{"apiVersion", "discovery.k8s.io/v1"},
                   {"kind", "EndpointSlice"},
                   {"addressType", slice.addressType},
                   {"endpoints", json::array()},
                   {"ports", json::array()}};
  json &metadata = document["metadata"] = {{"namespace", meta.namespace_}, {"labels", meta.labels}};
  if (!meta.name.empty())
    metadata["name"] = meta.name;
  else
    metadata["generateName"] = meta.generateName;
  if (!meta.annotations.empty())
    metadata["annotations"] = meta.annotations;
  for (const auto &owner : meta.ownerReferences)
    metadata["ownerReferences"].push_back(write_owner(owner));
  for (const auto &endpoint : slice.endpoints)
    document["endpoints"].push_back(write_endpoint(endpoint));
  for (const auto &port : slice.ports)
    document["ports"].push_back(write_port(port));
  return document;
}

} // namespace sluice::controlplane
