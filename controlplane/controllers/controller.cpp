#include "controlplane/controllers/controller.hpp"

#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"
#include "kube/daemon/log.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using kube::daemon::log_warning;

template <class K, class Value>
void put(std::map<K, Value> &values, const K &key, bool deleted, Value value) {
  if (deleted)
    values.erase(key);
  else
    values.insert_or_assign(key, std::move(value));
}

} // namespace

Kinds Kinds::find() {
  return {*find_by_kind("v1", "Pod"),
          *find_by_kind("v1", "Node"),
          *find_by_kind("v1", "Service"),
          *find_by_kind("discovery.k8s.io/v1", "EndpointSlice"),
          *find_by_kind("v1", "Endpoints"),
          *find_by_kind("v1", "Namespace"),
          *find_by_kind("v1", "ServiceAccount"),
          *find_by_kind("v1", "ConfigMap"),
          *find_by_kind("coordination.k8s.io/v1", "Lease"),
          *find_by_kind("v1", "Event")};
}

void Cluster::apply(const Kinds &kinds, const Observation &observation) {
  const auto &[type, key, document, text, deleted] = observation;
  old_pod.reset();
  if (&type == &kinds.pods) {
    if (const auto old = pods.find(key); old != pods.end())
      old_pod = old->second;
    put(pods, key, deleted, view<kube::Pod>(text));
  } else if (&type == &kinds.nodes) {
    put(nodes, key.name, deleted, view<kube::Node>(text));
  } else if (&type == &kinds.services) {
    put(services, key, deleted, view<kube::Service>(text));
  } else if (&type == &kinds.slices) {
    put(slices, key, deleted, view<kube::EndpointSlice>(text));
  }
}

void Controller::report(const ApiError &error, const std::string &doing) const {
  if (error.code != 404 && error.code != 409)
    log_warning("controller failed, it tries again", {{"doing", doing}, {"error", error.message}});
}

void record_event(const Context &context, const ResourceType &type, const json &document,
                  std::string_view event_type, std::string_view reason, std::string_view message) {
  const auto now = format_time(std::chrono::system_clock::now());
  const auto home = text(document, "metadata.namespace", "default");
  json event = {
      {"apiVersion", "v1"},
      {"kind", "Event"},
      {"metadata", {{"generateName", text(document, "metadata.name") + "."}, {"namespace", home}}},
      {"involvedObject",
       {{"apiVersion", type.api_version()},
        {"kind", type.kind},
        {"namespace", text(document, "metadata.namespace")},
        {"name", text(document, "metadata.name")},
        {"uid", text(document, "metadata.uid")}}},
      {"type", event_type},
      {"reason", reason},
      {"message", message},
      {"source", {{"component", "sluice-controlplane"}}},
      {"firstTimestamp", now},
      {"lastTimestamp", now},
      {"count", 1}};
  if (const auto created = context.registry.create(context.kinds.events, std::move(event));
      !created)
    kube::daemon::log_debug("event not recorded", {{"error", created.error().message}});
}

} // namespace sluice::controlplane
