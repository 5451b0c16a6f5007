#include "proxy/service_health.hpp"

namespace sluice::proxy {
namespace {

std::vector<IpAddress> where_to_listen(const NodeInfo &node, Family family) {
  if (!node.anyNodePortAddress)
    return node.nodePortAddresses;
  const std::array<std::uint8_t, 16> zeros{};
  return {IpAddress::from_bytes({zeros.data(), family == Family::ipv4 ? 4U : 16U})};
}

} // namespace

std::optional<HealthPortsWanted>
HealthPortsTracker::update(const Model &model, const std::set<kube::ObjectKey> *changed) {
  auto now = changed ? wanted_ : HealthPortsWanted{};
  now.family = model.family();
  now.addresses = where_to_listen(model.table().node, now.family);
  const auto look_at = [&](const kube::ObjectKey &service) {
    if (const auto health = model.service_health(service))
      now.services.insert_or_assign(service, *health);
    else
      now.services.erase(service);
  };
  if (changed)
    std::for_each(changed->begin(), changed->end(), look_at);
  else
    model.each_service([&](const kube::ObjectKey &key, const ServiceView &) { look_at(key); });
  if (now == wanted_)
    return std::nullopt;
  return wanted_ = std::move(now);
}

const LocalGaps &LocalGapTracker::update(const Model &model,
                                         const std::set<kube::ObjectKey> *changed) {
  const auto look_at = [&](const kube::ObjectKey &service) {
    if (const auto held = of_.extract(service)) {
      sum_.internal -= held.mapped().internal;
      sum_.external -= held.mapped().external;
    }
    const auto now = model.local_gaps(service);
    if (now == LocalGaps{})
      return;
    of_.emplace(service, now);
    sum_.internal += now.internal;
    sum_.external += now.external;
  };
  if (changed) {
    std::for_each(changed->begin(), changed->end(), look_at);
    return sum_;
  }
  of_.clear();
  sum_ = {};
  model.each_service([&](const kube::ObjectKey &key, const ServiceView &) { look_at(key); });
  return sum_;
}

ServiceHealthAnswer service_health_answer(const kube::ObjectKey &service,
                                          const ServiceHealth &health, bool healthy) {
  // Names of Kubernetes objects need no escapes.
  return {healthy && health.localEndpoints > 0 ? 200 : 503, health.localEndpoints,
          "{\n\t\"service\": {\n\t\t\"namespace\": \"" + service.namespace_ +
              "\",\n\t\t\"name\": \"" + service.name +
              "\"\n\t},\n\t\"localEndpoints\": " + std::to_string(health.localEndpoints) +
              ",\n\t\"serviceProxyHealthy\": " + (healthy ? "true" : "false") + "\n}"};
}

} // namespace sluice::proxy
