#include "proxy/metrics.hpp"

namespace sluice::proxy {
namespace {

std::vector<double> doubling(double first, int count) {
  std::vector<double> bounds;
  for (int i = 0; i < count; ++i, first *= 2)
    bounds.push_back(first);
  return bounds;
}

/// kube-proxy's: 1 ms to 16 s.
std::vector<double> sync_buckets() { return doubling(0.001, 15); }
/// What one change takes here: 50 us to 6.5 s.
std::vector<double> commit_buckets() { return doubling(0.00005, 18); }

/// kube-proxy's: 0.25, 0.5, 1 .. 59, 60 .. 115 by 5, 120 .. 300 by 30.
std::vector<double> network_programming_buckets() {
  std::vector<double> bounds{0.25, 0.5};
  for (int i = 1; i < 60; ++i)
    bounds.push_back(i);
  for (int i = 60; i < 120; i += 5)
    bounds.push_back(i);
  for (int i = 120; i <= 300; i += 30)
    bounds.push_back(i);
  return bounds;
}

kube::daemon::MetricLabels label_of(Family family) {
  return {{"ip_family", std::string(name_of(family))}};
}

kube::daemon::Gauge no_local_endpoints(kube::daemon::Metrics &metrics, Family family,
                                       const char *policy) {
  auto labels = label_of(family);
  labels["traffic_policy"] = policy;
  return metrics.gauge("kubeproxy_sync_proxy_rules_no_local_endpoints_total",
                       "Service ports with policy Local and endpoints, but none on this node.",
                       labels);
}

kube::daemon::Gauge rules_of(kube::daemon::Metrics &metrics, const char *name, const char *help,
                             Family family, const char *table) {
  auto labels = label_of(family);
  labels["table"] = table;
  return metrics.gauge(name, help, labels);
}
kube::daemon::Gauge all_rules(kube::daemon::Metrics &metrics, Family family, const char *table) {
  return rules_of(metrics, "kubeproxy_sync_proxy_rules_iptables_total",
                  "Our rules in the kernel, the jumps to them included.", family, table);
}
kube::daemon::Gauge last_rules(kube::daemon::Metrics &metrics, Family family, const char *table) {
  return rules_of(metrics, "kubeproxy_sync_proxy_rules_iptables_last",
                  "Rules that the last sync wrote.", family, table);
}

const char *failures_name(const std::string &mode) {
  if (mode == "nftables")
    return "kubeproxy_sync_proxy_rules_nftables_sync_failures_total";
  return "sluice_proxy_sync_failures_total";
}

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

} // namespace

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

IptablesMetrics::IptablesMetrics(kube::daemon::Metrics &metrics, Family family)
    : nat_total(all_rules(metrics, family, "nat")),
      filter_total(all_rules(metrics, family, "filter")),
      nat_last(last_rules(metrics, family, "nat")),
      filter_last(last_rules(metrics, family, "filter")),
      restore_failures(metrics.counter("kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
                                       "Syncs of everything that iptables-restore refused.",
                                       label_of(family))),
      partial_restore_failures(metrics.counter(
          "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
          "Syncs of what changed that iptables-restore refused.", label_of(family))) {}

FamilyMetrics::FamilyMetrics(kube::daemon::Metrics &metrics, Family family, const std::string &mode)
    : sync(metrics.histogram("kubeproxy_sync_proxy_rules_duration_seconds", "Time of one sync.",
                             sync_buckets(), label_of(family))),
      full(metrics.histogram("kubeproxy_sync_full_proxy_rules_duration_seconds",
                             "Time of a sync that reads the kernel back.", sync_buckets(),
                             label_of(family))),
      partial(metrics.histogram("kubeproxy_sync_partial_proxy_rules_duration_seconds",
                                "Time of a sync that writes what changed.", sync_buckets(),
                                label_of(family))),
      network_programming(metrics.histogram(
          "kubeproxy_network_programming_duration_seconds",
          "From the change of an endpoint, by its annotation, to the rules in the kernel.",
          network_programming_buckets(), label_of(family))),
      event_to_commit(
          metrics.histogram("sluice_proxy_event_to_commit_seconds",
                            "From the arrival of a watch event to the end of the kernel's commit.",
                            commit_buckets(), label_of(family))),
      flow_cleanup(metrics.histogram("kubeproxy_conntrack_reconciler_sync_duration_seconds",
                                     "Time of one pass over the kernel's UDP flows.",
                                     sync_buckets(), label_of(family))),
      failures(metrics.counter(failures_name(mode), "Syncs that failed.", label_of(family))),
      repairs(metrics.counter("sluice_proxy_repairs_total",
                              "Times that somebody else had changed our kernel objects.",
                              label_of(family))),
      audits(metrics.counter("sluice_proxy_audits_total",
                             "Times that the kernel was read back and compared.",
                             label_of(family))),
      flows_deleted(metrics.counter("kubeproxy_conntrack_reconciler_deleted_entries_total",
                                    "Stale UDP flows removed from the kernel.", label_of(family))),
      last_sync(metrics.gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds",
                              "End of the last successful sync.", label_of(family))),
      last_queued(metrics.gauge("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
                                "When a sync was last asked for.", label_of(family))),
      no_local_internal(no_local_endpoints(metrics, family, "internal")),
      no_local_external(no_local_endpoints(metrics, family, "external")),
      services(metrics.gauge("sluice_proxy_services", "Services known.", label_of(family))),
      endpoints(metrics.gauge("sluice_proxy_endpoints", "Endpoints known.", label_of(family))),
      frontends(
          metrics.gauge("sluice_proxy_frontends", "Frontends in the table.", label_of(family))),
      backend_sets(metrics.gauge("sluice_proxy_backend_sets", "Backend sets in the table.",
                                 label_of(family))),
      iptables(mode == "iptables" ? std::optional<IptablesMetrics>({metrics, family})
                                  : std::nullopt) {}

void FamilyMetrics::record(const SyncOutcome &outcome, const Model &model, Clock::time_point now) {
  using Kind = SyncOutcome::Kind;
  if (outcome.kind == Kind::failed)
    return failures.add();
  if (outcome.kind == Kind::verified || outcome.kind == Kind::repaired)
    audits.add();
  if (outcome.kind == Kind::repaired)
    repairs.add();
  if (outcome.kind == Kind::verified)
    return;
  last_sync.set(wall_seconds());
  if (outcome.kind == Kind::unchanged)
    return;
  sync.observe(seconds(outcome.took));
  (outcome.kind == Kind::applied ? partial : full).observe(seconds(outcome.took));
  if (outcome.kind == Kind::applied && outcome.oldestChange)
    event_to_commit.observe(seconds(now - *outcome.oldestChange));
  services.set(static_cast<double>(model.service_count()));
  frontends.set(static_cast<double>(model.table().frontends.size()));
  backend_sets.set(static_cast<double>(model.table().backendSets.size()));
  endpoints.set(static_cast<double>(model.endpoint_count()));
}

ProxyMetrics::ProxyMetrics(kube::daemon::Metrics &metrics, std::string mode)
    : service_changes(metrics.counter("kubeproxy_sync_proxy_rules_service_changes_total",
                                      "Service changes that packets can see.")),
      endpoint_changes(metrics.counter("kubeproxy_sync_proxy_rules_endpoint_changes_total",
                                       "EndpointSlice changes that packets can see.")),
      suppressed(metrics.counter("sluice_proxy_suppressed_changes_total",
                                 "Watch events that no packet can see: they cost no sync.")),
      service_changes_pending(metrics.gauge("kubeproxy_sync_proxy_rules_service_changes_pending",
                                            "Service changes that are not in the kernel yet.")),
      endpoint_changes_pending(
          metrics.gauge("kubeproxy_sync_proxy_rules_endpoint_changes_pending",
                        "EndpointSlice changes that are not in the kernel yet.")),
      metrics_(metrics), mode_(std::move(mode)) {
  // A clean-up is part of the commit here, so nothing of its own can fail.
  if (mode_ == "nftables")
    metrics_.counter("kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total",
                     "Clean-ups of stale chains that failed; none here: they are part of a sync.");
}

FamilyMetrics &ProxyMetrics::of(Family family) {
  return families_.try_emplace(family, metrics_, family, mode_).first->second;
}

void ProxyMetrics::mode_ends() {
  for (const auto &[family, metrics] : families_)
    if (const auto &iptables = metrics.iptables)
      for (const auto &gauge :
           {iptables->nat_total, iptables->filter_total, iptables->nat_last, iptables->filter_last})
        gauge.set(0);
}

void count_request(kube::daemon::Metrics &metrics, const std::string &host,
                   const kube::RequestSeen &seen) {
  const std::string method(seen.method);
  metrics
      .counter("rest_client_requests_total", "Requests to the API server.",
               {{"code", seen.status == 0 ? "<error>" : std::to_string(seen.status)},
                {"host", host},
                {"method", method}})
      .add();
  metrics
      .histogram("rest_client_request_duration_seconds",
                 "Until the answer of the API server; of a watch, until its head.",
                 {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60},
                 {{"host", host}, {"verb", method}})
      .observe(std::chrono::duration<double>(seen.took).count());
}

} // namespace sluice::proxy
