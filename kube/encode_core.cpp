// Metadata, v1 (all but Pod) and coordination.k8s.io/v1.

#include "kube/encode.hpp"

namespace sluice::kube {
namespace encoding {

json encode(const Condition &condition) {
  json result = json::object();
  put(result, "type", condition.type);
  put(result, "status", condition.status);
  put(result, "reason", condition.reason);
  put(result, "message", condition.message);
  put(result, "lastTransitionTime", condition.lastTransitionTime);
  return result;
}

json document(const char *api_version, const char *kind, const ObjectMeta &metadata) {
  return {{"apiVersion", api_version}, {"kind", kind}, {"metadata", to_json(metadata)}};
}

namespace {

json encode(const OwnerReference &owner) {
  json result = {{"apiVersion", owner.apiVersion},
                 {"kind", owner.kind},
                 {"name", owner.name},
                 {"uid", owner.uid}};
  put(result, "controller", owner.controller);
  put(result, "blockOwnerDeletion", owner.blockOwnerDeletion);
  return result;
}

json encode(const Taint &taint) {
  json result = json::object();
  put(result, "key", taint.key);
  put(result, "value", taint.value);
  put(result, "effect", taint.effect);
  return result;
}

json encode(const NodeAddress &address) {
  return {{"type", address.type}, {"address", address.address}};
}

} // namespace
} // namespace encoding

using namespace encoding;

json to_json(const ObjectMeta &metadata) {
  json result = json::object();
  put(result, "name", metadata.name);
  put(result, "namespace", metadata.namespace_);
  put(result, "uid", metadata.uid);
  put(result, "resourceVersion", metadata.resourceVersion);
  put(result, "generateName", metadata.generateName);
  put(result, "labels", metadata.labels);
  put(result, "annotations", metadata.annotations);
  put_list(result, "ownerReferences", metadata.ownerReferences,
           [](const OwnerReference &owner) { return encode(owner); });
  put(result, "finalizers", metadata.finalizers);
  put(result, "creationTimestamp", metadata.creationTimestamp);
  put(result, "deletionTimestamp", metadata.deletionTimestamp);
  put(result, "deletionGracePeriodSeconds", metadata.deletionGracePeriodSeconds);
  return result;
}

json to_json(const Namespace &object) {
  json result = document("v1", "Namespace", object.metadata);
  if (!object.phase.empty())
    result["status"]["phase"] = object.phase;
  return result;
}

json to_json(const Node &object) {
  json spec = json::object(), status = json::object();
  put(spec, "podCIDRs", object.podCIDRs);
  if (!object.podCIDRs.empty())
    spec["podCIDR"] = object.podCIDRs.front();
  put_list(spec, "taints", object.taints, [](const Taint &taint) { return encode(taint); });
  put(spec, "unschedulable", object.unschedulable);
  put_list(status, "addresses", object.addresses,
           [](const NodeAddress &address) { return encode(address); });
  put_list(status, "conditions", object.conditions,
           [](const Condition &condition) { return encode(condition); });
  json result = document("v1", "Node", object.metadata);
  put_object(result, "spec", std::move(spec));
  put_object(result, "status", std::move(status));
  return result;
}

json to_json(const ServiceAccount &object) {
  return document("v1", "ServiceAccount", object.metadata);
}

json to_json(const ConfigMap &object) {
  json result = document("v1", "ConfigMap", object.metadata);
  put(result, "data", object.data);
  return result;
}

json to_json(const Event &object) {
  json involved = json::object(), source = json::object();
  put(involved, "kind", object.involvedKind);
  put(involved, "namespace", object.involvedNamespace);
  put(involved, "name", object.involvedName);
  put(involved, "uid", object.involvedUid);
  put(source, "component", object.sourceComponent);
  put(source, "host", object.sourceHost);
  json result = document("v1", "Event", object.metadata);
  result["involvedObject"] = std::move(involved); // required, even if empty
  put_object(result, "source", std::move(source));
  put(result, "type", object.type);
  put(result, "reason", object.reason);
  put(result, "message", object.message);
  put(result, "firstTimestamp", object.firstTimestamp);
  put(result, "lastTimestamp", object.lastTimestamp);
  put(result, "count", object.count);
  return result;
}

json to_json(const Lease &object) {
  json spec = json::object();
  put(spec, "holderIdentity", object.holderIdentity);
  put(spec, "acquireTime", object.acquireTime);
  put(spec, "renewTime", object.renewTime);
  put(spec, "leaseDurationSeconds", object.leaseDurationSeconds);
  json result = document("coordination.k8s.io/v1", "Lease", object.metadata);
  put_object(result, "spec", std::move(spec));
  return result;
}

} // namespace sluice::kube
