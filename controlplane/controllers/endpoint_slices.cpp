#include "controlplane/controllers/endpoint_slices.hpp"

#include "controlplane/controllers/scheduling.hpp"

namespace sluice::controlplane {
namespace {

using kube::EndpointSlice;
using kube::Pod;
using kube::Service;
using kube::SliceEndpoint;
using kube::SlicePort;

/// Pods whose target ports resolve alike share slices. Text, because SlicePort has no order.
struct PortGroup {
  std::vector<SlicePort> ports;
  std::map<std::string, SliceEndpoint> endpoints; ///< by pod name
};
using GroupKey = std::pair<std::string, std::string>; ///< address type, ports as text
using Groups = std::map<GroupKey, PortGroup>;

std::string text_of(const std::vector<SlicePort> &ports) {
  std::string text;
  for (const auto &port : ports)
    text += port.name.value_or("") + "/" +
            std::string(name_of(port.protocol.value_or(Protocol::tcp))) + "/" +
            (port.port ? std::to_string(*port.port) : "*") + "/" + port.appProtocol + ";";
  return text;
}

std::optional<std::int32_t> resolve(const kube::ServicePort &port, const Pod &pod) {
  if (port.targetPort.name.empty())
    return port.targetPort.number != 0 ? port.targetPort.number : port.port;
  for (const auto &container : pod.containers)
    for (const auto &candidate : container.ports)
      if (candidate.name == port.targetPort.name && candidate.protocol == port.protocol)
        return candidate.containerPort;
  return std::nullopt;
}

std::vector<SlicePort> ports_for(const Service &service, const Pod &pod) {
  std::vector<SlicePort> ports;
  for (const auto &port : service.ports)
    if (const auto number = resolve(port, pod))
      ports.push_back({port.name, port.protocol, *number, port.appProtocol});
  return ports;
}

/// Finished pods and pods without an address are no endpoints; a missing node is asked again later.
bool counts(const Service &service, const Pod &pod,
            const std::map<std::string, std::string> &zones) {
  if (pod.phase == "Succeeded" || pod.phase == "Failed" || pod.podIPs.empty())
    return false;
  return service.publishNotReadyAddresses || zones.count(pod.nodeName) != 0;
}

void set_hints(SliceEndpoint &endpoint, const std::string &distribution) {
  if (distribution.empty() || !endpoint.conditions.ready.value_or(false))
    return;
  if (!endpoint.zone.empty())
    endpoint.hintZones = {endpoint.zone};
  if (distribution == "PreferSameNode" && !endpoint.nodeName.empty())
    endpoint.hintNodes = {endpoint.nodeName};
}

SliceEndpoint endpoint_for(const Service &service, const Pod &pod, const IpAddress &ip,
                           const std::map<std::string, std::string> &zones) {
  SliceEndpoint endpoint;
  const bool serving = condition_status(pod.conditions, "Ready") == "True";
  const bool terminating = pod.metadata.deletionTimestamp.has_value();
  endpoint.addresses = {ip.str()};
  endpoint.conditions = {service.publishNotReadyAddresses || (serving && !terminating), serving,
                         terminating};
  endpoint.nodeName = pod.nodeName;
  if (const auto zone = zones.find(pod.nodeName); zone != zones.end())
    endpoint.zone = zone->second;
  if (!pod.hostname.empty() && pod.subdomain == service.metadata.name)
    endpoint.hostname = pod.hostname;
  endpoint.targetKind = "Pod";
  endpoint.targetNamespace = pod.metadata.namespace_;
  endpoint.targetName = pod.metadata.name;
  endpoint.targetUid = pod.metadata.uid;
  set_hints(endpoint, service.trafficDistribution);
  return endpoint;
}

/// The first address of each family is the pod's.
std::map<Family, IpAddress> addresses_of(const Pod &pod) {
  std::map<Family, IpAddress> addresses;
  for (const auto &text : pod.podIPs)
    if (const auto ip = IpAddress::parse_sloppy(text))
      addresses.emplace(ip->family(), *ip);
  return addresses;
}

std::vector<Family> families_of(const Service &service) {
  if (!service.ipFamilies.empty())
    return service.ipFamilies;
  return {Family::ipv4};
}

Groups desired_groups(const Service &service, const std::vector<Pod> &pods,
                      const std::map<std::string, std::string> &zones) {
  Groups groups;
  for (const auto &pod : pods) {
    if (!counts(service, pod, zones))
      continue;
    const auto ports = ports_for(service, pod);
    const auto addresses = addresses_of(pod);
    for (const auto family : families_of(service)) {
      const auto ip = addresses.find(family);
      if (ip == addresses.end())
        continue;
      auto &group = groups[{std::string(name_of(family)), text_of(ports)}];
      group.ports = ports;
      group.endpoints.emplace(pod.metadata.name, endpoint_for(service, pod, ip->second, zones));
    }
  }
  return groups;
}

/// A family without endpoints keeps one empty slice, so that readers see that somebody looked.
void add_placeholders(Groups &groups, const Service &service) {
  for (const auto family : families_of(service)) {
    const std::string type(name_of(family));
    const bool present = std::any_of(groups.begin(), groups.end(),
                                     [&](const auto &group) { return group.first.first == type; });
    if (!present)
      groups[{type, ""}];
  }
}

bool is_reserved(const std::string &label) {
  return label == "kubernetes.io/service-name" ||
         label == "endpointslice.kubernetes.io/managed-by" ||
         label == "service.kubernetes.io/headless";
}

kube::ObjectMeta meta_for(const Service &service) {
  kube::ObjectMeta meta;
  meta.namespace_ = service.metadata.namespace_;
  meta.generateName = service.metadata.name + "-";
  for (const auto &[key, value] : service.metadata.labels)
    if (!is_reserved(key))
      meta.labels.emplace(key, value);
  meta.labels["kubernetes.io/service-name"] = service.metadata.name;
  meta.labels["endpointslice.kubernetes.io/managed-by"] = kSliceManager;
  if (is_headless(service))
    meta.labels["service.kubernetes.io/headless"] = "";
  meta.ownerReferences = {
      {"v1", "Service", service.metadata.name, service.metadata.uid, true, true}};
  return meta;
}

/// Existing slices of one group and what they will hold.
class GroupPlanner {
public:
  GroupPlanner(const kube::ObjectMeta &meta, std::string address_type, PortGroup group)
      : meta_(meta), address_type_(std::move(address_type)), group_(std::move(group)) {}

  void add_existing(const EndpointSlice &slice) { existing_.push_back(&slice); }
  void plan(SlicePlan &plan);

private:
  EndpointSlice blank() const {
    EndpointSlice slice;
    slice.metadata = meta_;
    slice.addressType = address_type_;
    slice.ports = group_.ports;
    return slice;
  }
  std::vector<EndpointSlice> kept_in_place();
  void fill(std::vector<EndpointSlice> &slices);
  bool same(const EndpointSlice &slice, const EndpointSlice &old) const;

  const kube::ObjectMeta &meta_;
  std::string address_type_;
  PortGroup group_;
  std::vector<const EndpointSlice *> existing_;
};

/// Endpoints stay in the slice where they are; those that are found are taken out of the group.
std::vector<EndpointSlice> GroupPlanner::kept_in_place() {
  std::vector<EndpointSlice> slices;
  for (const auto *old : existing_) {
    auto slice = blank();
    slice.metadata.name = old->metadata.name;
    for (const auto &endpoint : old->endpoints) {
      const auto wanted = group_.endpoints.find(endpoint.targetName);
      if (wanted == group_.endpoints.end() || wanted->second.targetUid != endpoint.targetUid ||
          slice.endpoints.size() == kMaxEndpointsPerSlice)
        continue;
      slice.endpoints.push_back(std::move(wanted->second));
      group_.endpoints.erase(wanted);
    }
    slices.push_back(std::move(slice));
  }
  return slices;
}

/// New endpoints go where a slice changes anyway and has room, then to any with room, then to new
/// ones.
void GroupPlanner::fill(std::vector<EndpointSlice> &slices) {
  std::vector<EndpointSlice *> order;
  for (std::size_t i = 0; i < slices.size(); ++i)
    if (!same(slices[i], *existing_[i]))
      order.push_back(&slices[i]);
  for (std::size_t i = 0; i < slices.size(); ++i)
    if (same(slices[i], *existing_[i]))
      order.push_back(&slices[i]);
  auto next = group_.endpoints.begin();
  for (auto *slice : order)
    for (; next != group_.endpoints.end() && slice->endpoints.size() < kMaxEndpointsPerSlice;
         ++next)
      slice->endpoints.push_back(std::move(next->second));
  while (next != group_.endpoints.end()) {
    auto slice = blank();
    for (; next != group_.endpoints.end() && slice.endpoints.size() < kMaxEndpointsPerSlice; ++next)
      slice.endpoints.push_back(std::move(next->second));
    slices.push_back(std::move(slice));
  }
}

bool GroupPlanner::same(const EndpointSlice &slice, const EndpointSlice &old) const {
  return slice.endpoints == old.endpoints && slice.metadata.labels == old.metadata.labels &&
         slice.metadata.ownerReferences == old.metadata.ownerReferences;
}

void GroupPlanner::plan(SlicePlan &plan) {
  const bool placeholder = group_.endpoints.empty();
  auto slices = kept_in_place();
  fill(slices);
  bool kept = false;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    auto &slice = slices[i];
    const bool old = i < existing_.size();
    if (slice.endpoints.empty() && (!placeholder || kept)) {
      plan.remove.push_back(slice.metadata.name);
      continue;
    }
    kept = true;
    if (!old)
      plan.create.push_back(std::move(slice));
    else if (!same(slice, *existing_[i]))
      plan.update.push_back(std::move(slice));
  }
  if (placeholder && !kept)
    plan.create.push_back(blank());
}

/// A slice to remove and one of the same family to create are one update: one event for readers.
void reuse_names(SlicePlan &plan, const std::vector<EndpointSlice> &existing) {
  auto created = plan.create.begin();
  while (created != plan.create.end()) {
    const auto old = std::find_if(plan.remove.begin(), plan.remove.end(), [&](const auto &name) {
      return std::any_of(existing.begin(), existing.end(), [&](const EndpointSlice &slice) {
        return slice.metadata.name == name && slice.addressType == created->addressType;
      });
    });
    if (old == plan.remove.end()) {
      ++created;
      continue;
    }
    created->metadata.name = *old;
    plan.update.push_back(std::move(*created));
    plan.remove.erase(old);
    created = plan.create.erase(created);
  }
}

} // namespace

bool selects(const kube::Labels &selector, const kube::Labels &labels) {
  return !selector.empty() &&
         std::includes(labels.begin(), labels.end(), selector.begin(), selector.end());
}

bool is_headless(const Service &service) {
  return service.clusterIPs.empty() || service.clusterIPs.front() == "None";
}

SlicePlan plan_slices(const Service &service, const std::vector<Pod> &pods,
                      const std::map<std::string, std::string> &zones,
                      const std::vector<EndpointSlice> &existing) {
  SlicePlan plan;
  if (service.type == kube::ServiceType::ExternalName || service.selector.empty() ||
      service.metadata.deletionTimestamp) {
    for (const auto &slice : existing)
      plan.remove.push_back(slice.metadata.name);
    return plan;
  }
  auto groups = desired_groups(service, pods, zones);
  add_placeholders(groups, service);
  const auto meta = meta_for(service);
  std::map<GroupKey, GroupPlanner> planners;
  for (auto &[key, group] : groups)
    planners.emplace(key, GroupPlanner(meta, key.first, std::move(group)));
  for (const auto &slice : existing) {
    const auto planner = planners.find({slice.addressType, text_of(slice.ports)});
    if (planner == planners.end())
      plan.remove.push_back(slice.metadata.name);
    else
      planner->second.add_existing(slice);
  }
  for (auto &[key, planner] : planners)
    planner.plan(plan);
  reuse_names(plan, existing);
  return plan;
}

} // namespace sluice::controlplane
