// v1 Service and discovery.k8s.io/v1 EndpointSlice.

#include "kube/decode.hpp"

namespace sluice::kube {
namespace {

ServiceType service_type(const std::string &text) {
  if (text == "NodePort")
    return ServiceType::NodePort;
  if (text == "LoadBalancer")
    return ServiceType::LoadBalancer;
  return text == "ExternalName" ? ServiceType::ExternalName : ServiceType::ClusterIP;
}

TrafficPolicy traffic_policy(const std::string &text) {
  return text == "Local" ? TrafficPolicy::Local : TrafficPolicy::Cluster;
}

/// Reads `name` as text and gives it to `use`.
template <class Use>
bool read_text(JsonReader &reader, std::string_view key, std::string_view name, Use use) {
  std::string text;
  if (!reader.read(key, name, text))
    return false;
  use(text);
  return true;
}

void decode_families(JsonReader &reader, std::vector<Family> &into) {
  std::vector<std::string> names;
  reader.value(names);
  for (const std::string &name : names)
    if (name == "IPv4" || name == "IPv6")
      into.push_back(name == "IPv4" ? Family::ipv4 : Family::ipv6);
}

void decode_service_ports(JsonReader &reader, std::vector<ServicePort> &into) {
  decode_ports(reader, into, [&](std::string_view key, ServicePort &port, bool &known) {
    if (key == "protocol") {
      const auto protocol = decode_protocol(reader);
      known = protocol.has_value();
      port.protocol = protocol.value_or(Protocol::tcp);
      return true;
    }
    return reader.read(key, "name", port.name) || reader.read(key, "port", port.port) ||
           reader.read(key, "nodePort", port.nodePort) ||
           reader.read(key, "targetPort", port.targetPort) ||
           reader.read(key, "appProtocol", port.appProtocol);
  });
}

bool decode_service_spec(JsonReader &reader, std::string_view key, Service &into,
                         std::string &single_ip) {
  if (key == "ports") {
    decode_service_ports(reader, into.ports);
    return true;
  }
  if (key == "ipFamilies") {
    decode_families(reader, into.ipFamilies);
    return true;
  }
  const auto affinity_config = [&](std::string_view config) {
    return reader.inside(config, "clientIP", [&](std::string_view client) {
      return reader.read(client, "timeoutSeconds", into.affinityTimeoutSeconds);
    });
  };
  return read_text(reader, key, "type", [&](auto &text) { into.type = service_type(text); }) ||
         read_text(reader, key, "externalTrafficPolicy",
                   [&](auto &text) { into.externalTrafficPolicy = traffic_policy(text); }) ||
         read_text(reader, key, "internalTrafficPolicy",
                   [&](auto &text) { into.internalTrafficPolicy = traffic_policy(text); }) ||
         read_text(reader, key, "sessionAffinity",
                   [&](auto &text) { into.sessionAffinityClientIP = text == "ClientIP"; }) ||
         reader.inside(key, "sessionAffinityConfig", affinity_config) ||
         reader.read(key, "clusterIP", single_ip) ||
         reader.read(key, "clusterIPs", into.clusterIPs) ||
         reader.read(key, "ipFamilyPolicy", into.ipFamilyPolicy) ||
         reader.read(key, "selector", into.selector) ||
         reader.read(key, "externalIPs", into.externalIPs) ||
         reader.read(key, "loadBalancerSourceRanges", into.loadBalancerSourceRanges) ||
         reader.read(key, "publishNotReadyAddresses", into.publishNotReadyAddresses) ||
         reader.read(key, "healthCheckNodePort", into.healthCheckNodePort) ||
         reader.read(key, "trafficDistribution", into.trafficDistribution) ||
         reader.read(key, "loadBalancerClass", into.loadBalancerClass) ||
         reader.read(key, "loadBalancerIP", into.loadBalancerIP);
}

} // namespace

void decode(JsonReader &reader, LoadBalancerIngress &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "ip", into.ip) || reader.read(key, "hostname", into.hostname) ||
           reader.read(key, "ipMode", into.ipMode);
  });
}

bool decode_member(JsonReader &reader, std::string_view key, Service &into) {
  if (key == "spec") {
    std::string single_ip;
    reader.object(
        [&](std::string_view spec) { return decode_service_spec(reader, spec, into, single_ip); });
    if (into.clusterIPs.empty() && !single_ip.empty())
      into.clusterIPs.push_back(std::move(single_ip));
    return true;
  }
  return reader.inside(key, "status", [&](std::string_view status) {
    return reader.inside(status, "loadBalancer", [&](std::string_view balancer) {
      return reader.read(balancer, "ingress", into.loadBalancerIngress);
    });
  });
}

void decode(JsonReader &reader, EndpointConditions &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "ready", into.ready) || reader.read(key, "serving", into.serving) ||
           reader.read(key, "terminating", into.terminating);
  });
}

namespace {

bool decode_hints(JsonReader &reader, std::string_view key, SliceEndpoint &into) {
  if (key == "forZones")
    decode_each(reader, "name", into.hintZones);
  else if (key == "forNodes")
    decode_each(reader, "name", into.hintNodes);
  else
    return false;
  return true;
}

bool decode_target(JsonReader &reader, std::string_view key, SliceEndpoint &into) {
  return reader.read(key, "kind", into.targetKind) ||
         reader.read(key, "namespace", into.targetNamespace) ||
         reader.read(key, "name", into.targetName) || reader.read(key, "uid", into.targetUid);
}

void decode_slice_ports(JsonReader &reader, std::vector<SlicePort> &into) {
  decode_ports(reader, into, [&](std::string_view key, SlicePort &port, bool &known) {
    if (key == "protocol") {
      if (!reader.null()) {
        port.protocol = decode_protocol(reader);
        known = port.protocol.has_value();
      }
      return true;
    }
    return reader.read(key, "name", port.name) || reader.read(key, "port", port.port) ||
           reader.read(key, "appProtocol", port.appProtocol);
  });
}

} // namespace

void decode(JsonReader &reader, SliceEndpoint &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "addresses", into.addresses) ||
           reader.read(key, "conditions", into.conditions) ||
           reader.read(key, "nodeName", into.nodeName) || reader.read(key, "zone", into.zone) ||
           reader.read(key, "hostname", into.hostname) ||
           reader.inside(key, "hints",
                         [&](std::string_view hint) { return decode_hints(reader, hint, into); }) ||
           reader.inside(key, "targetRef",
                         [&](std::string_view ref) { return decode_target(reader, ref, into); });
  });
}

bool decode_member(JsonReader &reader, std::string_view key, EndpointSlice &into) {
  if (key == "ports") {
    decode_slice_ports(reader, into.ports);
    return true;
  }
  return reader.read(key, "addressType", into.addressType) ||
         reader.read(key, "endpoints", into.endpoints);
}

} // namespace sluice::kube
