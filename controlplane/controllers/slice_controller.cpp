// Keeps the EndpointSlices (and, for older clients, the Endpoints) of every Service with a
// selector.
#include "controlplane/controllers/controller.hpp"
#include "controlplane/controllers/endpoint_slices.hpp"
#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);
constexpr const char *kServiceLabel = "kubernetes.io/service-name";
constexpr const char *kManagedBy = "endpointslice.kubernetes.io/managed-by";

std::string label(const kube::Labels &labels, const char *key) {
  const auto found = labels.find(key);
  return found == labels.end() ? "" : found->second;
}

json endpoints_address(const kube::SliceEndpoint &endpoint) {
  json address = {{"ip", endpoint.addresses.front()}};
  if (!endpoint.nodeName.empty())
    address["nodeName"] = endpoint.nodeName;
  if (!endpoint.hostname.empty())
    address["hostname"] = endpoint.hostname;
  address["targetRef"] = {{"kind", "Pod"},
                          {"namespace", endpoint.targetNamespace},
                          {"name", endpoint.targetName},
                          {"uid", endpoint.targetUid}};
  return address;
}

/// One subset for a slice; terminating endpoints are in neither list, as in the reference.
json subset_of(const kube::EndpointSlice &slice) {
  json subset = json::object();
  for (const auto &endpoint : slice.endpoints) {
    const bool ready = endpoint.conditions.ready.value_or(true);
    if (endpoint.addresses.empty() || (!ready && endpoint.conditions.terminating.value_or(false)))
      continue;
    subset[ready ? "addresses" : "notReadyAddresses"].push_back(endpoints_address(endpoint));
  }
  for (const auto &port : slice.ports) {
    json one = {{"port", port.port.value_or(0)},
                {"protocol", name_of(port.protocol.value_or(Protocol::tcp))}};
    if (!port.name.value_or("").empty())
      one["name"] = *port.name;
    subset["ports"].push_back(std::move(one));
  }
  return subset;
}

class SliceController final : public Controller {
public:
  using Controller::Controller;

  void observe(const Observation &seen) override {
    const auto &kinds = context_.kinds;
    if (&seen.type == &kinds.services)
      dirty_.insert(seen.key);
    else if (&seen.type == &kinds.pods)
      mark_selecting(seen);
    else if (&seen.type == &kinds.nodes)
      mark_node(seen);
    else if (&seen.type == &kinds.slices)
      mark_owner(read_meta(seen.document));
  }

  std::optional<SteadyTime> sync(SteadyTime now) override {
    std::set<Key> again;
    for (const auto &key : dirty_)
      if (!sync_service(key))
        again.insert(key);
    dirty_ = std::move(again);
    return dirty_.empty() ? std::nullopt : std::optional(now + kRetry);
  }

private:
  void mark_selecting(const Observation &seen) {
    const auto *old =
        context_.cluster.old_pod ? &context_.cluster.old_pod->metadata.labels : nullptr;
    const auto now = read_meta(seen.document).labels;
    const auto &services = context_.cluster.services;
    for (auto service = services.lower_bound({seen.key.namespace_, ""});
         service != services.end() && service->first.namespace_ == seen.key.namespace_; ++service)
      if (selects(service->second.selector, now) ||
          (old != nullptr && selects(service->second.selector, *old)))
        dirty_.insert(service->first);
  }

  /// Only a node that comes, goes or moves to another zone matters.
  void mark_node(const Observation &seen) {
    const auto labels = read_meta(seen.document).labels;
    const auto now =
        seen.deleted ? std::nullopt : std::optional(label(labels, "topology.kubernetes.io/zone"));
    const auto known = zones_.find(seen.key.name);
    const auto before = known == zones_.end() ? std::nullopt : std::optional(known->second);
    if (now == before)
      return;
    if (now)
      zones_[seen.key.name] = *now;
    else
      zones_.erase(seen.key.name);
    for (const auto &[key, service] : context_.cluster.services)
      dirty_.insert(key);
  }

  void mark_owner(const kube::ObjectMeta &meta) {
    if (label(meta.labels, kManagedBy) == kSliceManager)
      dirty_.insert({meta.namespace_, label(meta.labels, kServiceLabel)});
  }

  std::vector<kube::EndpointSlice> slices_of(const Key &key) const {
    std::vector<kube::EndpointSlice> found;
    const auto &slices = context_.cluster.slices;
    for (auto slice = slices.lower_bound({key.namespace_, ""});
         slice != slices.end() && slice->first.namespace_ == key.namespace_; ++slice) {
      const auto &labels = slice->second.metadata.labels;
      if (label(labels, kServiceLabel) == key.name && label(labels, kManagedBy) == kSliceManager)
        found.push_back(slice->second);
    }
    return found;
  }

  std::vector<kube::Pod> pods_of(const Key &key, const kube::Service &service) const {
    std::vector<kube::Pod> found;
    const auto &pods = context_.cluster.pods;
    for (auto pod = pods.lower_bound({key.namespace_, ""});
         pod != pods.end() && pod->first.namespace_ == key.namespace_; ++pod)
      if (selects(service.selector, pod->second.metadata.labels))
        found.push_back(pod->second);
    return found;
  }

  bool sync_service(const Key &key) {
    const auto service = context_.cluster.services.find(key);
    if (service == context_.cluster.services.end())
      return true; // its slices go with their owner
    const auto plan =
        plan_slices(service->second, pods_of(key, service->second), zones_, slices_of(key));
    bool good = true;
    for (const auto &slice : plan.create)
      good &= remember(context_.registry.create(context_.kinds.slices, kube::to_json(slice)));
    for (const auto &slice : plan.update)
      good &= remember(update(slice));
    for (const auto &name : plan.remove) {
      context_.cluster.slices.erase({key.namespace_, name});
      good &= done(context_.registry.remove(context_.kinds.slices, {key.namespace_, name}),
                   "delete EndpointSlice " + name);
    }
    return good && (plan.empty() || write_endpoints(key, service->second));
  }

  ApiResult<StoredPtr> update(const kube::EndpointSlice &slice) {
    const auto wanted = kube::to_json(slice);
    return context_.registry.mutate(context_.kinds.slices,
                                    {slice.metadata.namespace_, slice.metadata.name},
                                    [&](json &document) -> ApiResult<> {
                                      for (const auto *field : {"endpoints", "ports"})
                                        copy(wanted, field, document);
                                      for (const auto *field : {"labels", "ownerReferences"})
                                        copy(wanted["metadata"], field, document["metadata"]);
                                      return {};
                                    });
  }

  /// The result is known before its observation comes, so the next plan starts from it.
  bool remember(const ApiResult<StoredPtr> &written) {
    if (written)
      context_.cluster.slices.insert_or_assign((*written)->key,
                                               view<kube::EndpointSlice>(*(*written)->bytes));
    return done(written, "write an EndpointSlice");
  }

  bool write_endpoints(const Key &key, const kube::Service &service) {
    const auto &type = context_.kinds.endpoints;
    const auto family = service.ipFamilies.empty() ? Family::ipv4 : service.ipFamilies.front();
    json subsets = json::array();
    for (const auto &slice : slices_of(key))
      if (slice.addressType == name_of(family))
        if (auto subset = subset_of(slice);
            subset.contains("addresses") || subset.contains("notReadyAddresses"))
          subsets.push_back(std::move(subset));
    const auto changed = context_.registry.mutate(type, key, [&](json &document) -> ApiResult<> {
      document["subsets"] = subsets;
      return {};
    });
    if (changed || changed.error().code != 404 || service.selector.empty())
      return done(changed, "update Endpoints " + key.name);
    json document = {{"apiVersion", "v1"},
                     {"kind", "Endpoints"},
                     {"metadata",
                      {{"name", key.name},
                       {"namespace", key.namespace_},
                       {"labels", service.metadata.labels},
                       {"ownerReferences",
                        {{{"apiVersion", "v1"},
                          {"kind", "Service"},
                          {"name", key.name},
                          {"uid", service.metadata.uid}}}}}},
                     {"subsets", subsets}};
    return done(context_.registry.create(type, std::move(document)),
                "create Endpoints " + key.name);
  }

  std::set<Key> dirty_;
  std::map<std::string, std::string> zones_; ///< of the nodes that exist
};

} // namespace

std::unique_ptr<Controller> make_slice_controller(const Context &context) {
  return std::make_unique<SliceController>(context);
}

} // namespace sluice::controlplane
