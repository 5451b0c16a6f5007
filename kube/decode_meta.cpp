#include "kube/decode.hpp"

namespace sluice::kube {

void decode(JsonReader &reader, OwnerReference &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "apiVersion", into.apiVersion) || reader.read(key, "kind", into.kind) ||
           reader.read(key, "name", into.name) || reader.read(key, "uid", into.uid) ||
           reader.read(key, "controller", into.controller) ||
           reader.read(key, "blockOwnerDeletion", into.blockOwnerDeletion);
  });
}

void decode(JsonReader &reader, ObjectMeta &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "name", into.name) || reader.read(key, "namespace", into.namespace_) ||
           reader.read(key, "uid", into.uid) ||
           reader.read(key, "resourceVersion", into.resourceVersion) ||
           reader.read(key, "generateName", into.generateName) ||
           reader.read(key, "labels", into.labels) ||
           reader.read(key, "annotations", into.annotations) ||
           reader.read(key, "ownerReferences", into.ownerReferences) ||
           reader.read(key, "finalizers", into.finalizers) ||
           reader.read(key, "creationTimestamp", into.creationTimestamp) ||
           reader.read(key, "deletionTimestamp", into.deletionTimestamp) ||
           reader.read(key, "deletionGracePeriodSeconds", into.deletionGracePeriodSeconds);
  });
}

void decode(JsonReader &reader, LabelSelectorRequirement &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "key", into.key) || reader.read(key, "operator", into.operator_) ||
           reader.read(key, "values", into.values);
  });
}

void decode(JsonReader &reader, LabelSelector &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "matchLabels", into.matchLabels) ||
           reader.read(key, "matchExpressions", into.matchExpressions);
  });
}

void decode(JsonReader &reader, IntOrString &into) {
  if (reader.peek() == JsonReader::Kind::string)
    reader.value(into.name);
  else
    reader.value(into.number);
}

void decode(JsonReader &reader, Condition &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "type", into.type) || reader.read(key, "status", into.status) ||
           reader.read(key, "reason", into.reason) || reader.read(key, "message", into.message) ||
           reader.read(key, "lastTransitionTime", into.lastTransitionTime);
  });
}

std::optional<Protocol> decode_protocol(JsonReader &reader) {
  std::string text;
  reader.value(text);
  if (text.empty())
    return Protocol::tcp;
  const auto protocol = parse_protocol(text);
  return protocol ? std::optional(*protocol) : std::nullopt;
}

void decode_each(JsonReader &reader, std::string_view name, std::vector<std::string> &into) {
  reader.array([&] {
    std::string value;
    reader.object([&](std::string_view key) { return reader.read(key, name, value); });
    if (!value.empty())
      into.push_back(std::move(value));
  });
}

} // namespace sluice::kube
