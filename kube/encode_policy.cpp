// networking.k8s.io/v1 NetworkPolicy.

#include "kube/encode.hpp"

namespace sluice::kube {
namespace encoding {
namespace {

json encode(const LabelSelectorRequirement &requirement) {
  json result = {{"key", requirement.key}, {"operator", requirement.operator_}};
  put(result, "values", requirement.values);
  return result;
}

json encode(const NetworkPolicyPeer &peer) {
  json result = json::object();
  if (peer.podSelector)
    result["podSelector"] = to_json(*peer.podSelector);
  if (peer.namespaceSelector)
    result["namespaceSelector"] = to_json(*peer.namespaceSelector);
  if (peer.ipBlock) {
    result["ipBlock"] = {{"cidr", peer.ipBlock->cidr}};
    put(result["ipBlock"], "except", peer.ipBlock->except);
  }
  return result;
}

json encode(const NetworkPolicyPort &port) {
  json result = json::object();
  if (port.protocol)
    result["protocol"] = std::string(name_of(*port.protocol));
  if (port.port)
    result["port"] = encoding::encode(*port.port);
  put(result, "endPort", port.endPort);
  return result;
}

json encode(const NetworkPolicyRule &rule, const char *peers) {
  json result = json::object();
  put_list(result, peers, rule.peers, [](const NetworkPolicyPeer &peer) { return encode(peer); });
  put_list(result, "ports", rule.ports, [](const NetworkPolicyPort &port) { return encode(port); });
  return result;
}

} // namespace
} // namespace encoding

using namespace encoding;

json to_json(const LabelSelector &selector) {
  json result = json::object();
  put(result, "matchLabels", selector.matchLabels);
  put_list(result, "matchExpressions", selector.matchExpressions,
           [](const LabelSelectorRequirement &requirement) { return encode(requirement); });
  return result;
}

json to_json(const NetworkPolicy &object) {
  json spec = {{"podSelector", to_json(object.podSelector)}};
  put(spec, "policyTypes", object.policyTypes);
  put_list(spec, "ingress", object.ingress,
           [](const NetworkPolicyRule &rule) { return encode(rule, "from"); });
  put_list(spec, "egress", object.egress,
           [](const NetworkPolicyRule &rule) { return encode(rule, "to"); });
  json result = document("networking.k8s.io/v1", "NetworkPolicy", object.metadata);
  result["spec"] = std::move(spec);
  return result;
}

} // namespace sluice::kube
