#include "proxy/service_health.hpp"

namespace sluice::proxy {
namespace {

std::vector<IpAddress> where_to_listen(const NodeInfo &node, Family family) {
  if (!node.anyNodePortAddress)
    return node.nodePortAddresses;
  const std::array<std::uint8_t, 16> zeros{};
  return {IpAddress::from_bytes({zeros.data(), family == Family::ipv4 ? 4U : 16U})};
}

std::vector<kube::ObjectKey> keys_of(const std::map<kube::ObjectKey, ServiceHealth> &services) {
  std::vector<kube::ObjectKey> keys;
  for (const auto &[key, health] : services)
    keys.push_back(key);
  return keys;
}

} // namespace

std::optional<HealthPortsWanted>
HealthPortsTracker::update(const Model &model, const std::set<kube::ObjectKey> *changed) {
  bool differs = false;
  const auto replace = [&](auto &held, auto now) {
    differs = differs || held != now;
    held = std::move(now);
  };
  const auto look_at = [&](const kube::ObjectKey &service) {
    if (const auto health = model.service_health(service))
      replace(wanted_.services[service], *health);
    else
      differs = wanted_.services.erase(service) != 0 || differs;
  };
  wanted_.family = model.family();
  replace(wanted_.addresses, where_to_listen(model.table().node, model.family()));
  if (changed) {
    std::for_each(changed->begin(), changed->end(), look_at);
  } else {
    for (const auto &service : keys_of(wanted_.services)) // those that are gone as well
      look_at(service);
    model.each_service([&](const kube::ObjectKey &key, const ServiceView &) { look_at(key); });
  }
  return differs ? std::optional(wanted_) : std::nullopt;
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
