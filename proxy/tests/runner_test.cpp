#include "proxy/rfc3339.hpp"
#include "proxy/runner.hpp"
#include "proxy/tests/fake_dataplane.hpp"
#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;
using test::slice_of;

template <class Object> using Kind = typename kube::Change<Object>::Kind;

struct Fixture {
  FakeClock clock;
  Inbox inbox;
  HealthBoard health;
  kube::daemon::Metrics metrics;
  ProxyMetrics proxy_metrics{metrics};
  test::FakeKernel v4, v6;
  std::vector<FlowQuery> queries;
  std::vector<HealthPortsWanted> wanted;
  Runner runner;

  explicit Fixture(NodeOptions node_options = options())
      : runner({inbox, clock, health, proxy_metrics,
                [this](FlowQuery query) { queries.push_back(std::move(query)); },
                [this](HealthPortsWanted all) { wanted.push_back(std::move(all)); }},
               std::move(node_options), families()) {}

  static NodeOptions options() {
    NodeOptions node;
    node.clusterCidrs = {test::cidr("10.0.0.0/8"), test::cidr("2001:db8:1::/48")};
    return node;
  }
  std::vector<std::unique_ptr<FamilySync>> families() {
    std::vector<std::unique_ptr<FamilySync>> out;
    for (auto *kernel : {&v4, &v6})
      out.push_back(std::make_unique<FamilySync>(
          std::make_unique<Model>(kernel == &v4 ? Family::ipv4 : Family::ipv6, "n1"),
          std::make_unique<test::FakeDataplane>(*kernel), SyncPeriods{}, clock));
    return out;
  }

  template <class Object> void put(Kind<Object> kind, Object object = {}) {
    inbox.put({kube::Change<Object>{kind, std::move(object)}, clock.now()});
  }
  void synced() {
    put<kube::Service>(Kind<kube::Service>::synced);
    put<kube::EndpointSlice>(Kind<kube::EndpointSlice>::synced);
    put<kube::Node>(Kind<kube::Node>::synced);
  }
  HealthAnswer answer(bool with_node) {
    return health_of(health.snapshot(), with_node, clock.now(), std::chrono::system_clock::now(),
                     60s);
  }
};

kube::Node our_node() {
  kube::Node node;
  node.metadata.name = "n1";
  node.addresses = {{"InternalIP", "192.168.0.2"}, {"InternalIP", "2001:db8::2"}};
  return node;
}

const auto kAddedService = Kind<kube::Service>::added;
const auto kAddedSlice = Kind<kube::EndpointSlice>::added;

TEST(proxy_runner, the_kernel_is_untouched_until_every_kind_is_listed) {
  Fixture f;
  const auto service = test::service_s();
  f.put(kAddedService, service);
  f.put<kube::Service>(Kind<kube::Service>::synced);
  f.runner.turn();
  f.put(kAddedSlice, slice_of(service, "L R"));
  f.put<kube::EndpointSlice>(Kind<kube::EndpointSlice>::synced);
  f.runner.turn();
  EXPECT_EQ(f.v4.starts + f.v6.starts, 0U);
  f.put<kube::Node>(Kind<kube::Node>::synced);
  f.runner.turn();
  EXPECT_EQ(f.v4.starts, 1U);
  EXPECT_EQ(f.v6.starts, 1U);
  EXPECT_EQ(f.v4.table.backendSets.size(), 1U);
}

TEST(proxy_runner, a_change_of_one_family_writes_nothing_of_the_other) {
  Fixture f;
  f.synced();
  f.runner.turn();
  const auto service = test::service_s();
  f.put(kAddedService, service);
  f.put(kAddedSlice, slice_of(service, "L R"));
  f.runner.turn();
  EXPECT_EQ(f.v4.applies, 1U) << "two changes, one commit";
  EXPECT_EQ(f.v6.applies, 0U);
}

TEST(proxy_runner, a_deleted_service_goes_even_if_its_last_state_is_not_known) {
  Fixture f;
  const auto service = test::service_s();
  f.put(kAddedService, service);
  f.synced();
  f.runner.turn();
  EXPECT_FALSE(f.v4.table.frontends.empty());
  kube::Service bare;
  bare.metadata.namespace_ = "ns1";
  bare.metadata.name = "svc1";
  f.put(Kind<kube::Service>::deleted, bare);
  f.runner.turn();
  EXPECT_TRUE(f.v4.table.frontends.empty());
}

TEST(proxy_runner, an_object_delivered_again_writes_nothing) {
  Fixture f;
  const auto service = test::service_s();
  f.put(kAddedService, service);
  f.synced();
  f.runner.turn();
  f.put(Kind<kube::Service>::modified, service);
  f.runner.turn();
  EXPECT_EQ(f.v4.applies, 0U);
}

TEST(proxy_runner, the_node_brings_its_addresses_and_its_zone) {
  Fixture f;
  f.synced();
  f.runner.turn();
  EXPECT_FALSE(f.answer(true).ok) << "no Node yet: load balancers stay away";
  EXPECT_TRUE(f.answer(false).ok);
  f.put(Kind<kube::Node>::added, our_node());
  f.runner.turn();
  EXPECT_EQ(f.v4.table.node.nodePortAddresses, std::vector{test::ip("192.168.0.2")});
  EXPECT_EQ(f.v6.table.node.nodePortAddresses, std::vector{test::ip("2001:db8::2")});
  EXPECT_TRUE(f.answer(true).ok);
  auto going = our_node();
  going.taints = {{"ToBeDeletedByClusterAutoscaler", "", "NoSchedule"}};
  f.put(Kind<kube::Node>::modified, going);
  f.runner.turn();
  EXPECT_FALSE(f.answer(true).ok);
  EXPECT_TRUE(f.answer(false).ok);
}

TEST(proxy_runner, a_family_that_cannot_be_synced_turns_unhealthy_and_says_which) {
  Fixture f;
  f.synced();
  f.put(Kind<kube::Node>::added, our_node());
  f.runner.turn();
  f.v6.failures = 1000;
  auto service = test::service_s();
  service.clusterIPs = {"172.30.0.41", "2001:db8::41"};
  service.ipFamilies = {Family::ipv4, Family::ipv6};
  f.put(kAddedService, service);
  f.runner.turn();
  EXPECT_TRUE(f.answer(false).ok) << "it may take its time";
  f.clock.advance(61s);
  f.runner.turn();
  const auto late = f.answer(false);
  EXPECT_FALSE(late.ok);
  EXPECT_NE(late.body.find("\"IPv4\":{\"healthy\":true"), std::string::npos) << late.body;
  EXPECT_NE(late.body.find("\"IPv6\":{\"healthy\":false"), std::string::npos) << late.body;
  f.v6.failures = 0;
  f.clock.advance(30s);
  f.runner.turn();
  EXPECT_TRUE(f.answer(false).ok);
}

TEST(proxy_runner, a_notice_from_the_kernel_leads_to_a_repair) {
  Fixture f;
  f.put(kAddedService, test::service_s());
  f.synced();
  f.runner.turn();
  f.v4.table = {};
  f.inbox.put({KernelChanged{Family::ipv4}, f.clock.now()});
  f.runner.turn();
  EXPECT_FALSE(f.v4.table.frontends.empty());
  EXPECT_NE(f.metrics.text().find("sluice_proxy_repairs_total{ip_family=\"IPv4\"} 1"),
            std::string::npos);
}

TEST(proxy_runner, each_trigger_time_after_our_start_is_observed_once) {
  Fixture f;
  f.synced();
  f.runner.turn();
  const auto service = test::service_s();
  f.put(kAddedService, service);
  auto slice = slice_of(service, "L");
  slice.metadata.annotations["endpoints.kubernetes.io/last-change-trigger-time"] =
      "2020-01-01T00:00:00Z";
  f.put(kAddedSlice, slice);
  f.runner.turn();
  const std::string name = "kubeproxy_network_programming_duration_seconds_count";
  EXPECT_EQ(f.metrics.text().find(name + "{ip_family=\"IPv4\"} 1"), std::string::npos);
  slice = slice_of(service, "L R");
  slice.metadata.annotations["endpoints.kubernetes.io/last-change-trigger-time"] =
      rfc3339(std::chrono::system_clock::now());
  f.put(kAddedSlice, slice);
  auto second = slice;
  second.metadata.name = "svc1-second";
  f.put(kAddedSlice, second);
  f.runner.turn();
  EXPECT_NE(f.metrics.text().find(name + "{ip_family=\"IPv4\"} 1"), std::string::npos)
      << f.metrics.text();
}

TEST(proxy_runner, service_cidrs_of_the_cluster_are_added_to_the_operators) {
  Fixture f;
  f.put(kAddedService, test::service_s());
  f.synced();
  f.runner.turn();
  kube::ServiceCIDR object;
  object.metadata.name = "kubernetes";
  object.cidrs = {"172.30.0.0/16", "2001:db8:172::/112", "nonsense"};
  const auto kAdded = Kind<kube::ServiceCIDR>::added;
  f.put(kAdded, object);
  f.runner.turn();
  EXPECT_TRUE(f.v4.table.node.serviceCidrs.empty()) << "not before the list is complete";
  f.put<kube::ServiceCIDR>(Kind<kube::ServiceCIDR>::synced);
  f.runner.turn();
  EXPECT_EQ(f.v4.table.node.serviceCidrs, std::vector{test::cidr("172.30.0.0/16")});
  EXPECT_EQ(f.v6.table.node.serviceCidrs, std::vector{test::cidr("2001:db8:172::/112")});
  EXPECT_TRUE(f.v4.deltas.back().setFrontends.empty()) << "no frontend depends on them";
  f.put(Kind<kube::ServiceCIDR>::deleted, object);
  f.runner.turn();
  EXPECT_TRUE(f.v4.table.node.serviceCidrs.empty());
}

TEST(proxy_runner, node_ports_follow_the_addresses_of_the_machine) {
  auto options = Fixture::options();
  options.nodePortAddresses = {test::cidr("192.168.0.0/16")};
  Fixture f(options);
  f.inbox.put({LocalAddresses{{test::ip("192.168.0.2"), test::ip("10.9.9.9")}}, f.clock.now()});
  f.put(kAddedService, test::service_s());
  f.synced();
  f.put(Kind<kube::Node>::added, our_node());
  f.runner.turn();
  EXPECT_EQ(f.v4.table.node.nodePortAddresses, std::vector{test::ip("192.168.0.2")});
  EXPECT_EQ(f.v4.starts, 1U);
  f.inbox.put({LocalAddresses{{test::ip("192.168.7.7"), test::ip("192.168.0.2")}}, f.clock.now()});
  f.runner.turn();
  EXPECT_EQ(f.v4.table.node.nodePortAddresses,
            (std::vector{test::ip("192.168.0.2"), test::ip("192.168.7.7")}));
  EXPECT_EQ(f.v4.applies, 1U);
  EXPECT_TRUE(f.v4.deltas.back().setFrontends.empty());
  EXPECT_EQ(f.v6.applies, 0U);
}

TEST(proxy_runner, c18_05_nothing_is_pending_after_a_sync_that_was_asked_for_before) {
  Fixture f;
  const auto service = test::service_s();
  const auto pending = [&] {
    return std::pair(f.proxy_metrics.service_changes_pending.value(),
                     f.proxy_metrics.endpoint_changes_pending.value());
  };
  f.put(kAddedService, service);
  f.put(kAddedSlice, slice_of(service, "L R"));
  f.v4.failures = f.v6.failures = 1;
  f.synced();
  f.runner.turn();
  f.put(kAddedSlice, slice_of(service, "L"));
  f.runner.turn();
  EXPECT_GT(pending().second, 0) << "nothing is in the kernel";
  f.clock.advance(1min);
  f.runner.turn();
  EXPECT_EQ(pending(), std::pair(0.0, 0.0));
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const auto &metrics = f.proxy_metrics.of(family);
    EXPECT_GT(metrics.last_queued.value(), 0);
    EXPECT_LE(metrics.last_queued.value(), metrics.last_sync.value());
  }
}

TEST(proxy_runner, after_a_commit_flows_and_health_ports_are_told) {
  Fixture f;
  auto service = test::service_s();
  service.ports.push_back({"dns", Protocol::udp, 53, 0, {}, ""});
  service.externalTrafficPolicy = kube::TrafficPolicy::Local;
  service.healthCheckNodePort = 30000;
  f.put(kAddedService, service);
  f.put(kAddedSlice, slice_of(service, "L R"));
  f.v4.failures = f.v6.failures = 1;
  f.synced();
  f.runner.turn();
  EXPECT_TRUE(f.wanted.empty()) << "nothing is in the kernel";
  f.clock.advance(1min);
  f.runner.turn();
  ASSERT_EQ(f.wanted.size(), 2U) << "one of each family";
  EXPECT_EQ(f.wanted.front().services.begin()->second.localEndpoints, 1U);
  ASSERT_FALSE(f.queries.empty());
  EXPECT_TRUE(f.queries.front().all);
  f.queries.clear();
  f.put(kAddedSlice, slice_of(service, "L"));
  f.runner.turn();
  ASSERT_EQ(f.queries.size(), 1U);
  EXPECT_FALSE(f.queries.front().all);
  EXPECT_EQ(f.wanted.size(), 2U) << "L is still the only local one";
}

TEST(proxy_runner, stop_leaves_the_rules_and_calls_run_on_the_loop) {
  Fixture f;
  f.put(kAddedService, test::service_s());
  f.synced();
  bool called = false;
  f.inbox.put({Call([&](Runner &runner) { called = runner.synced(); }), f.clock.now()});
  f.inbox.put({Stop{}, f.clock.now()});
  f.runner.run();
  EXPECT_TRUE(called);
  EXPECT_TRUE(f.runner.stopping());
}

TEST(proxy_node_info, node_port_addresses_and_detectors) {
  NodeOptions options;
  options.detectLocal = DetectLocalMode::node_cidr;
  EXPECT_FALSE(node_info(options, std::nullopt, Family::ipv4)) << "podCIDRs must be known";
  auto node = our_node();
  node.podCIDRs = {"10.244.1.0/24", "2001:db8:1:1::/64"};
  EXPECT_EQ(node_info(options, node, Family::ipv6)->localDetector.cidrs,
            std::vector{test::cidr("2001:db8:1:1::/64")});
  options.nodePortAddresses = {test::cidr("192.168.0.0/24")};
  EXPECT_EQ(node_info(options, node, Family::ipv4)->nodePortAddresses,
            std::vector{test::ip("192.168.0.2")});
  EXPECT_TRUE(node_info(options, node, Family::ipv6)->anyNodePortAddress)
      << "a list for the other family alone restricts nothing here";
  options.nodePortAddresses = {test::cidr("0.0.0.0/0")};
  EXPECT_TRUE(node_info(options, node, Family::ipv4)->anyNodePortAddress);
}

TEST(proxy_rfc3339, what_is_printed_is_read_back) {
  const auto time = parse_rfc3339("2026-11-21T08:10:00.250000Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(rfc3339(*time), "2026-11-21T08:10:00.250000Z");
  EXPECT_EQ(parse_rfc3339("2026-11-21T10:10:00.25+02:00"), time);
  EXPECT_EQ(parse_rfc3339("2026-11-21T08:10:00.25"), std::nullopt);
  EXPECT_EQ(parse_rfc3339("now"), std::nullopt);
  EXPECT_EQ(parse_rfc3339("2026-11-21T08:10:00Zx"), std::nullopt);
}

} // namespace
} // namespace sluice::proxy
