#pragma once
// The proxy's metrics. Names are kube-proxy's where the thing is the same, else sluice_proxy_*.

#include "kube/daemon/metrics.hpp"
#include "proxy/family_sync.hpp"

#include <map>

namespace sluice::proxy {

/// Thread-safe as the handles are.
struct FamilyMetrics {
  FamilyMetrics(kube::daemon::Metrics &metrics, Family family);

  /// One sync's outcome.
  void record(const SyncOutcome &outcome, const Model &model, Clock::time_point now);

  kube::daemon::Histogram sync, full, partial, network_programming, event_to_commit, flow_cleanup;
  kube::daemon::Counter failures, repairs, audits, flows_deleted;
  kube::daemon::Gauge last_sync, last_queued;
  kube::daemon::Gauge no_local_internal, no_local_external;
  kube::daemon::Gauge services, endpoints, frontends, backend_sets;
};

struct ProxyMetrics {
  explicit ProxyMetrics(kube::daemon::Metrics &metrics);
  FamilyMetrics &of(Family family);

  kube::daemon::Counter service_changes, endpoint_changes;
  kube::daemon::Gauge service_changes_pending, endpoint_changes_pending;

private:
  kube::daemon::Metrics &metrics_;
  std::map<Family, FamilyMetrics> families_;
};

} // namespace sluice::proxy
