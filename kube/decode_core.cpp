// v1 (all but Pod) and coordination.k8s.io/v1.

#include "kube/decode.hpp"

namespace sluice::kube {

bool decode_member(JsonReader &reader, std::string_view key, Namespace &into) {
  return reader.inside(key, "status", [&](std::string_view status) {
    return reader.read(status, "phase", into.phase);
  });
}

void decode(JsonReader &reader, Taint &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "key", into.key) || reader.read(key, "value", into.value) ||
           reader.read(key, "effect", into.effect);
  });
}

void decode(JsonReader &reader, NodeAddress &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "type", into.type) || reader.read(key, "address", into.address);
  });
}

bool decode_member(JsonReader &reader, std::string_view key, Node &into) {
  if (key == "spec") {
    std::string single;
    reader.object([&](std::string_view spec) {
      return reader.read(spec, "podCIDRs", into.podCIDRs) || reader.read(spec, "podCIDR", single) ||
             reader.read(spec, "taints", into.taints) ||
             reader.read(spec, "unschedulable", into.unschedulable);
    });
    if (into.podCIDRs.empty() && !single.empty())
      into.podCIDRs.push_back(std::move(single));
    return true;
  }
  return reader.inside(key, "status", [&](std::string_view status) {
    return reader.read(status, "addresses", into.addresses) ||
           reader.read(status, "conditions", into.conditions);
  });
}

bool decode_member(JsonReader &, std::string_view, ServiceAccount &) { return false; }

bool decode_member(JsonReader &reader, std::string_view key, ConfigMap &into) {
  return reader.read(key, "data", into.data);
}

bool decode_member(JsonReader &reader, std::string_view key, Event &into) {
  return reader.inside(key, "involvedObject",
                       [&](std::string_view object) {
                         return reader.read(object, "kind", into.involvedKind) ||
                                reader.read(object, "namespace", into.involvedNamespace) ||
                                reader.read(object, "name", into.involvedName) ||
                                reader.read(object, "uid", into.involvedUid);
                       }) ||
         reader.inside(key, "source",
                       [&](std::string_view source) {
                         return reader.read(source, "component", into.sourceComponent) ||
                                reader.read(source, "host", into.sourceHost);
                       }) ||
         reader.read(key, "type", into.type) || reader.read(key, "reason", into.reason) ||
         reader.read(key, "message", into.message) ||
         reader.read(key, "firstTimestamp", into.firstTimestamp) ||
         reader.read(key, "lastTimestamp", into.lastTimestamp) ||
         reader.read(key, "count", into.count);
}

bool decode_member(JsonReader &reader, std::string_view key, Lease &into) {
  return reader.inside(key, "spec", [&](std::string_view spec) {
    return reader.read(spec, "holderIdentity", into.holderIdentity) ||
           reader.read(spec, "acquireTime", into.acquireTime) ||
           reader.read(spec, "renewTime", into.renewTime) ||
           reader.read(spec, "leaseDurationSeconds", into.leaseDurationSeconds);
  });
}

} // namespace sluice::kube
