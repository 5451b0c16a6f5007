// v1 Service and discovery.k8s.io/v1 EndpointSlice.

#include "kube/encode.hpp"

namespace sluice::kube {
namespace encoding {
namespace {

const char *name_of(ServiceType type) {
  switch (type) {
  case ServiceType::ClusterIP:
    return "ClusterIP";
  case ServiceType::NodePort:
    return "NodePort";
  case ServiceType::LoadBalancer:
    return "LoadBalancer";
  case ServiceType::ExternalName:
    return "ExternalName";
  }
  return "ClusterIP";
}

json encode(const ServicePort &port) {
  json result = {{"port", port.port}, {"protocol", std::string(sluice::name_of(port.protocol))}};
  put(result, "name", port.name);
  put(result, "nodePort", port.nodePort);
  put(result, "appProtocol", port.appProtocol);
  if (is_set(port.targetPort))
    result["targetPort"] = encoding::encode(port.targetPort);
  return result;
}

json encode(const LoadBalancerIngress &ingress) {
  json result = json::object();
  put(result, "ip", ingress.ip);
  put(result, "hostname", ingress.hostname);
  put(result, "ipMode", ingress.ipMode);
  return result;
}

void put_addresses(json &spec, const Service &object) {
  if (!object.clusterIPs.empty())
    spec["clusterIP"] = object.clusterIPs.front();
  put(spec, "clusterIPs", object.clusterIPs);
  put_list(spec, "ipFamilies", object.ipFamilies,
           [](Family family) { return std::string(sluice::name_of(family)); });
  put(spec, "ipFamilyPolicy", object.ipFamilyPolicy);
  put(spec, "externalIPs", object.externalIPs);
  put(spec, "loadBalancerSourceRanges", object.loadBalancerSourceRanges);
  put(spec, "loadBalancerClass", object.loadBalancerClass);
  put(spec, "loadBalancerIP", object.loadBalancerIP);
}

void put_policies(json &spec, const Service &object) {
  if (object.externalTrafficPolicy == TrafficPolicy::Local)
    spec["externalTrafficPolicy"] = "Local";
  if (object.internalTrafficPolicy == TrafficPolicy::Local)
    spec["internalTrafficPolicy"] = "Local";
  if (object.sessionAffinityClientIP)
    spec["sessionAffinity"] = "ClientIP";
  if (object.sessionAffinityClientIP || object.affinityTimeoutSeconds != 10800)
    spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = object.affinityTimeoutSeconds;
  put(spec, "publishNotReadyAddresses", object.publishNotReadyAddresses);
  put(spec, "healthCheckNodePort", object.healthCheckNodePort);
  put(spec, "trafficDistribution", object.trafficDistribution);
}

json encode(const SlicePort &port) {
  json result = json::object();
  put(result, "name", port.name);
  put(result, "port", port.port);
  put(result, "appProtocol", port.appProtocol);
  if (port.protocol)
    result["protocol"] = std::string(sluice::name_of(*port.protocol));
  return result;
}

json encode(const EndpointConditions &conditions) {
  json result = json::object();
  put(result, "ready", conditions.ready);
  put(result, "serving", conditions.serving);
  put(result, "terminating", conditions.terminating);
  return result;
}

json named(const std::string &name) { return {{"name", name}}; }

json encode(const SliceEndpoint &endpoint) {
  json result = {{"addresses", endpoint.addresses}};
  json hints = json::object(), target = json::object();
  put_object(result, "conditions", encode(endpoint.conditions));
  put(result, "nodeName", endpoint.nodeName);
  put(result, "zone", endpoint.zone);
  put(result, "hostname", endpoint.hostname);
  put_list(hints, "forZones", endpoint.hintZones, named);
  put_list(hints, "forNodes", endpoint.hintNodes, named);
  put(target, "kind", endpoint.targetKind);
  put(target, "namespace", endpoint.targetNamespace);
  put(target, "name", endpoint.targetName);
  put(target, "uid", endpoint.targetUid);
  put_object(result, "hints", std::move(hints));
  put_object(result, "targetRef", std::move(target));
  return result;
}

} // namespace
} // namespace encoding

using namespace encoding;

json to_json(const Service &object) {
  json spec = {{"type", encoding::name_of(object.type)}};
  put_addresses(spec, object);
  put_policies(spec, object);
  put_list(spec, "ports", object.ports, [](const ServicePort &port) { return encode(port); });
  put(spec, "selector", object.selector);
  json result = document("v1", "Service", object.metadata);
  result["spec"] = std::move(spec);
  if (!object.loadBalancerIngress.empty())
    put_list(result["status"]["loadBalancer"], "ingress", object.loadBalancerIngress,
             [](const LoadBalancerIngress &ingress) { return encode(ingress); });
  return result;
}

json to_json(const EndpointSlice &object) {
  json result = document("discovery.k8s.io/v1", "EndpointSlice", object.metadata);
  put(result, "addressType", object.addressType);
  put_list(result, "ports", object.ports, [](const SlicePort &port) { return encode(port); });
  result["endpoints"] = json::array(); // required, even if empty
  put_list(result, "endpoints", object.endpoints,
           [](const SliceEndpoint &endpoint) { return encode(endpoint); });
  return result;
}

} // namespace sluice::kube
