#pragma once
// The proxy's metrics. Names are kube-proxy's where the thing is the same, else sluice_proxy_*.

#include "kube/daemon/metrics.hpp"
#include "kube/kubeconfig.hpp"
#include "proxy/family_sync.hpp"

#include <map>

namespace sluice::proxy {

/// Of mode iptables: rules of ours by table of the kernel, and how writing them went.
struct IptablesMetrics {
  IptablesMetrics(kube::daemon::Metrics &metrics, Family family);

  kube::daemon::Gauge nat_total, filter_total, nat_last, filter_last;
  kube::daemon::Counter restore_failures, partial_restore_failures;
};

/// Thread-safe as the handles are.
struct FamilyMetrics {
  FamilyMetrics(kube::daemon::Metrics &metrics, Family family, const std::string &mode);

  /// One sync's outcome.
  void record(const SyncOutcome &outcome, const Model &model, Clock::time_point now);

  kube::daemon::Histogram sync, full, partial, network_programming, event_to_commit, flow_cleanup;
  kube::daemon::Counter failures, repairs, audits, flows_deleted;
  kube::daemon::Gauge last_sync, last_queued;
  kube::daemon::Gauge no_local_internal, no_local_external;
  kube::daemon::Gauge services, endpoints, frontends, backend_sets;
  std::optional<IptablesMetrics> iptables;
};

/// Now, as Prometheus writes times.
double wall_seconds();

/// `of` is for one thread, the loop's.
struct ProxyMetrics {
  /// `mode`: only what applies to it is there.
  explicit ProxyMetrics(kube::daemon::Metrics &metrics, std::string mode = "nftables");
  FamilyMetrics &of(Family family);
  /// Another one may come: gauges that only this one has are 0 from now on.
  void mode_ends();

  kube::daemon::Counter service_changes, endpoint_changes, suppressed;
  kube::daemon::Gauge service_changes_pending, endpoint_changes_pending;

private:
  kube::daemon::Metrics &metrics_;
  std::string mode_;
  std::map<Family, FamilyMetrics> families_;
};

/// rest_client_*: counts one request to the API server `host`. Thread-safe.
void count_request(kube::daemon::Metrics &metrics, const std::string &host,
                   const kube::RequestSeen &seen);

} // namespace sluice::proxy
