// networking.k8s.io/v1: NetworkPolicy, ServiceCIDR.

#include "kube/decode.hpp"

namespace sluice::kube {

void decode(JsonReader &reader, IpBlock &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "cidr", into.cidr) || reader.read(key, "except", into.except);
  });
}

void decode(JsonReader &reader, NetworkPolicyPeer &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "podSelector", into.podSelector) ||
           reader.read(key, "namespaceSelector", into.namespaceSelector) ||
           reader.read(key, "ipBlock", into.ipBlock);
  });
}

void decode(JsonReader &reader, NetworkPolicyPort &into) {
  reader.object([&](std::string_view key) {
    if (key == "protocol") {
      const JsonReader::Mark mark = reader.mark();
      if (reader.null())
        return true;
      into.protocol = decode_protocol(reader);
      if (!into.protocol) // without it the rule would let every protocol in
        reader.refuse(mark, "TCP, UDP or SCTP");
      return true;
    }
    return reader.read(key, "port", into.port) || reader.read(key, "endPort", into.endPort);
  });
}

namespace {

void decode_rules(JsonReader &reader, std::string_view peers,
                  std::vector<NetworkPolicyRule> &into) {
  reader.array([&] {
    NetworkPolicyRule &rule = into.emplace_back();
    reader.object([&](std::string_view key) {
      return reader.read(key, peers, rule.peers) || reader.read(key, "ports", rule.ports);
    });
  });
}

} // namespace

bool decode_member(JsonReader &reader, std::string_view key, NetworkPolicy &into) {
  return reader.inside(key, "spec", [&](std::string_view spec) {
    if (spec == "ingress") {
      decode_rules(reader, "from", into.ingress);
      return true;
    }
    if (spec == "egress") {
      decode_rules(reader, "to", into.egress);
      return true;
    }
    return reader.read(spec, "podSelector", into.podSelector) ||
           reader.read(spec, "policyTypes", into.policyTypes);
  });
}

bool decode_member(JsonReader &reader, std::string_view key, ServiceCIDR &into) {
  return reader.inside(
      key, "spec", [&](std::string_view spec) { return reader.read(spec, "cidrs", into.cidrs); });
}

} // namespace sluice::kube
