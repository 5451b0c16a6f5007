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

void copy(const json &from, const char *field, json &to) {
  if (const auto found = from.find(field); found != from.end())
    to[field] = *found;
  else
    to.erase(field);
}

} // namespace sluice::controlplane
