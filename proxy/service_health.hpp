#pragma once
// Which Services load balancers may ask this node about, and what it answers. Pure.
// Source: the Service API, spec.healthCheckNodePort; service-semantics.md B.8.

#include "proxy/model/model.hpp"

namespace sluice::proxy {

/// Everything of one IP family that is to be answered.
struct HealthPortsWanted {
  Family family = Family::ipv4;
  std::map<kube::ObjectKey, ServiceHealth> services;
  /// Where to listen; an unspecified address is all of the family.
  std::vector<IpAddress> addresses;
  friend bool operator==(const HealthPortsWanted &, const HealthPortsWanted &) = default;
};

/// Keeps it up to date. Not thread-safe.
class HealthPortsTracker {
public:
  /// What is wanted now, if it differs from the last answer. `changed`: the Services that the last
  /// sync looked at; nothing: all of them.
  std::optional<HealthPortsWanted> update(const Model &model,
                                          const std::set<kube::ObjectKey> *changed);

private:
  HealthPortsWanted wanted_;
};

/// How many service ports have endpoints that their policy Local does not allow here, in sum. Not
/// thread-safe.
class LocalGapTracker {
public:
  const LocalGaps &update(const Model &model, const std::set<kube::ObjectKey> *changed);

private:
  std::map<kube::ObjectKey, LocalGaps> of_; ///< Services that have some
  LocalGaps sum_;
};

struct ServiceHealthAnswer {
  int status = 503; ///< 200: send traffic here
  std::size_t weight = 0;
  std::string body;
};
/// Byte for byte what kube-proxy answers. `healthy`: the proxy itself is (no change waits for too
/// long).
ServiceHealthAnswer service_health_answer(const kube::ObjectKey &service,
                                          const ServiceHealth &health, bool healthy);

} // namespace sluice::proxy
