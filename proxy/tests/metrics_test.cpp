#include "proxy/metrics.hpp"

#include "proxy/tests/prometheus_text.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using test::PrometheusText;
using test::read_prometheus;

/// A daemon's metrics after some work.
std::string text_of(const std::string &mode) {
  kube::daemon::Metrics metrics;
  ProxyMetrics proxy(metrics, mode);
  Model model(Family::ipv4, "n1");
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto kind : {SyncOutcome::Kind::started, SyncOutcome::Kind::applied,
                            SyncOutcome::Kind::failed, SyncOutcome::Kind::repaired}) {
      SyncOutcome outcome{kind};
      outcome.took = std::chrono::milliseconds(3);
      proxy.of(family).record(outcome, model, {});
    }
  count_request(metrics, "https://10.0.0.1:443", {"GET", 200, std::chrono::milliseconds(7)});
  count_request(metrics, "https://10.0.0.1:443", {"WATCH", 0, {}});
  return metrics.text();
}

std::string complaints(const PrometheusText &text) {
  std::string all;
  for (const auto &one : text.complaints)
    all += one + "\n";
  return all;
}

TEST(proxy_metrics, the_text_is_what_prometheus_reads) {
  EXPECT_EQ(complaints(read_prometheus(text_of("nftables"))), "");
}

TEST(proxy_metrics, the_reader_of_these_tests_complains) {
  for (const auto *bad :
       {"a 1\n", "# HELP a b\n# TYPE a gauge\na 1", "# TYPE a gauge\na 1\n",
        "# HELP a b\n# TYPE a gauge\na 1\na 1\n", "# HELP a b\n# TYPE a bad\n",
        "# HELP a b\n# TYPE a counter\na 1\n", "# HELP a b\n# TYPE a gauge\na{b=c} 1\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 1\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 2\n"
        "a_bucket{le=\"+Inf\"} 1\n"})
    EXPECT_FALSE(read_prometheus(bad).complaints.empty()) << bad;
}

TEST(proxy_metrics, names_types_and_labels_are_kube_proxys) {
  const auto text = read_prometheus(text_of("nftables"));
  const std::map<std::string, std::string> expected{
      {"kubeproxy_sync_proxy_rules_duration_seconds", "histogram"},
      {"kubeproxy_sync_full_proxy_rules_duration_seconds", "histogram"},
      {"kubeproxy_sync_partial_proxy_rules_duration_seconds", "histogram"},
      {"kubeproxy_conntrack_reconciler_sync_duration_seconds", "histogram"},
      {"kubeproxy_conntrack_reconciler_deleted_entries_total", "counter"},
      {"kubeproxy_network_programming_duration_seconds", "histogram"},
      {"kubeproxy_sync_proxy_rules_last_timestamp_seconds", "gauge"},
      {"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "gauge"},
      {"kubeproxy_sync_proxy_rules_endpoint_changes_pending", "gauge"},
      {"kubeproxy_sync_proxy_rules_service_changes_pending", "gauge"},
      {"kubeproxy_sync_proxy_rules_endpoint_changes_total", "counter"},
      {"kubeproxy_sync_proxy_rules_service_changes_total", "counter"},
      {"kubeproxy_sync_proxy_rules_no_local_endpoints_total", "gauge"},
      {"kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "counter"},
      {"kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total", "counter"},
      {"rest_client_requests_total", "counter"},
      {"process_cpu_seconds_total", "counter"},
      {"process_resident_memory_bytes", "gauge"},
      {"process_start_time_seconds", "gauge"},
  };
  for (const auto &[name, type] : expected) {
    const auto found = text.types.find(name);
    ASSERT_NE(found, text.types.end()) << name;
    EXPECT_EQ(found->second, type) << name;
  }
  for (const std::string sample :
       {"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"16.384\"}",
        "kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv6\",le=\"0.25\"}",
        "kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family=\"IPv4\",traffic_policy="
        "\"internal\"}"})
    EXPECT_EQ(text.samples.count(sample), 1U) << sample;
  EXPECT_GT(text.samples.at("process_resident_memory_bytes"), 1e5);
}

TEST(proxy_metrics, mode_iptables_has_kube_proxys_names_too) {
  const auto text = read_prometheus(text_of("iptables"));
  for (const std::string gauge : {"total", "last"})
    for (const std::string table : {"filter", "nat"})
      for (const std::string family : {"IPv4", "IPv6"})
        EXPECT_EQ(text.samples.count("kubeproxy_sync_proxy_rules_iptables_" + gauge +
                                     "{ip_family=\"" + family + "\",table=\"" + table + "\"}"),
                  1U)
            << gauge << table << family;
  for (const std::string counter : {"restore_failures_total", "partial_restore_failures_total"}) {
    const auto name = "kubeproxy_sync_proxy_rules_iptables_" + counter;
    EXPECT_EQ(text.types.at(name), "counter");
    EXPECT_EQ(text.samples.count(name + "{ip_family=\"IPv6\"}"), 1U) << name;
  }
  EXPECT_EQ(text.types.at("kubeproxy_sync_proxy_rules_iptables_total"), "gauge");
  EXPECT_EQ(text.samples.at("sluice_proxy_sync_failures_total{ip_family=\"IPv4\"}"), 1);
}

TEST(proxy_metrics, only_what_applies_to_the_mode_is_there) {
  for (const std::string mode : {"nftables", "iptables", "ipvs"}) {
    const auto text = read_prometheus(text_of(mode));
    for (const std::string other : {"nftables", "iptables"})
      for (const auto &[name, type] : text.types)
        EXPECT_TRUE(other == mode || name.find(other) == std::string::npos) << mode << ": " << name;
  }
}

} // namespace
} // namespace sluice::proxy
