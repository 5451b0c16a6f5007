// Case numbers are those of service-semantics.md G.13.

#include "kernel/conntrack/fake.hpp"
#include "proxy/flow_cleaner.hpp"
#include "proxy/tests/world.hpp"

#include <future>
#include <gtest/gtest.h>
#include <sstream>

namespace sluice::proxy {
namespace {

using TrackedFlow = kernel::conntrack::Flow;
using test::ip;

constexpr std::uint32_t kOurs = kOwnershipCtMark;
const std::set<IpAddress> kLocal{ip("192.168.0.2"), ip("192.168.1.2"), ip("127.0.0.1")};

kube::Service service_u() {
  auto service = test::service_s();
  service.clusterIPs = {"172.30.0.43"};
  service.ports = {{"dns", Protocol::udp, 53, 30053, {}, ""}};
  return service;
}

/// "C:53 L" with our mark, "C:53 L unmarked", "C:53 -" (not translated), "C:53 L tcp".
TrackedFlow flow_of(const std::string &text) {
  const std::map<std::string, const char *> places{
      {"C", "172.30.0.43"},   {"LB", "1.2.3.4"},    {"E", "192.168.99.22"}, {"n1", "192.168.0.2"},
      {"n1b", "192.168.1.2"}, {"X", "203.0.113.2"}, {"L", "10.180.0.1"},    {"L2", "10.180.0.2"},
      {"R", "10.180.1.1"},    {"Z", "10.99.0.1"}};
  std::istringstream words(text);
  std::string to, backend, word;
  words >> to >> backend;
  const auto colon = to.find(':');
  TrackedFlow flow;
  flow.original.source = {ip("10.0.0.2"), Port{40000}};
  flow.original.destination = {ip(places.at(to.substr(0, colon))),
                               parse_port(to.substr(colon + 1)).value()};
  flow.reply = {flow.original.destination, flow.original.source};
  if (backend != "-") {
    flow.mark = kOurs | 1;
    const auto port = backend.find(':');
    flow.reply.source = {ip(places.at(backend.substr(0, port))),
                         port == std::string::npos ? Port{53}
                                                   : parse_port(backend.substr(port + 1)).value()};
  }
  while (words >> word) {
    if (word == "unmarked")
      flow.mark = 0x10;
    else
      flow.protocol = parse_protocol(word).value();
  }
  return flow;
}

struct Fixture {
  Model model{Family::ipv4, "n1"};
  FlowTracker tracker;
  kube::Service service = service_u();

  Fixture() { model.set_node(test::node_n1(), ""); }
  void endpoints(const std::string &text) { model.update(test::slice_of(service, text)); }
  FlowQuery start(const std::string &text) {
    model.update(service);
    endpoints(text);
    model.sync();
    return tracker.update_all(model);
  }
  FlowQuery sync() { return tracker.update(model, model.sync().services); }
};

void expect(const FlowQuery &query, const std::vector<std::string> &stale,
            const std::vector<std::string> &kept) {
  for (const auto &text : stale)
    EXPECT_TRUE(is_stale(flow_of(text), query, kLocal)) << text;
  for (const auto &text : kept)
    EXPECT_FALSE(is_stale(flow_of(text), query, kLocal)) << text;
}

TEST(proxy_conntrack_cleanup, c13_05_flows_to_what_does_not_serve_are_stale_on_every_address) {
  Fixture f;
  (void)f.start("L L2 R");
  f.endpoints("L L2/tn");
  const auto query = f.sync();
  for (const std::string to : {"C:53", "LB:53", "E:53", "n1:30053", "n1b:30053"}) {
    SCOPED_TRACE(to);
    expect(query, {to + " R", to + " R unmarked", to + " L2", to + " L2 unmarked"},
           {to + " L", to + " L unmarked"});
  }
}

TEST(proxy_conntrack_cleanup, c13_05_endpoints_that_serve_their_last_connections_keep_them) {
  Fixture f;
  (void)f.start("L R");
  f.endpoints("L R/st");
  EXPECT_TRUE(f.sync().empty());
}

TEST(proxy_conntrack_cleanup, c13_06_07_20_other_ports_and_protocols_are_left_alone) {
  Fixture f;
  auto query = f.start("L");
  expect(query, {}, {"C:54 R unmarked", "C:53 R tcp", "C:53 R sctp", "X:53 R unmarked", "X:53 -"});
  f.endpoints("");
  expect(f.sync(), {"C:53 L"}, {"C:54 R", "C:53 L tcp", "C:53 L sctp", "X:53 R", "X:53 -"});
}

TEST(proxy_conntrack_cleanup,
     c13_08_flows_older_than_the_rules_are_stale_once_there_are_endpoints) {
  Fixture f;
  expect(f.start(""), {}, {"C:53 -", "n1:30053 -"});
  f.endpoints("L");
  expect(f.sync(), {"C:53 -", "LB:53 -", "n1:30053 -"}, {"C:54 -", "X:30053 -", "C:53 L"});
}

TEST(proxy_conntrack_cleanup, c13_04_a_changed_target_port_makes_flows_to_the_old_one_stale) {
  Fixture f;
  (void)f.start("L");
  auto slice = test::slice_of(f.service, "L");
  slice.ports.front().port = 5353;
  f.model.update(slice);
  expect(f.sync(), {"n1:30053 L", "n1:30053 L unmarked", "C:53 L"}, {"n1:30053 L:5353"});
}

TEST(proxy_conntrack_cleanup, a_service_scaled_to_zero_leaves_no_flow) {
  Fixture f;
  (void)f.start("L R");
  f.endpoints("");
  expect(f.sync(), {"C:53 L", "C:53 R unmarked", "n1:30053 L"}, {"C:53 -", "n1:30053 -"});
}

TEST(proxy_conntrack_cleanup, a_deleted_service_leaves_no_flow_of_ours) {
  Fixture f;
  (void)f.start("L");
  f.model.remove_service({"ns1", "svc1"});
  expect(f.sync(), {"C:53 L", "C:53 L unmarked", "E:53 R", "n1:30053 L", "n1:30053 L unmarked"},
         {"C:53 Z unmarked", "E:53 -", "n1:30053 Z unmarked"});
  EXPECT_TRUE(f.sync().empty());
}

TEST(proxy_conntrack_cleanup, a_node_port_with_a_foreign_translation_is_not_ours) {
  Fixture f;
  (void)f.start("L R");
  f.endpoints("L");
  expect(f.sync(), {"n1:30053 R unmarked", "n1:30053 Z"},
         {"n1:30053 Z unmarked", "X:30053 R unmarked", "X:30053 R"});
}

TEST(proxy_conntrack_cleanup,
     a_flow_to_a_service_address_is_not_one_to_the_node_port_of_its_number) {
  Fixture f;
  (void)f.start("L R");
  auto other = service_u();
  other.metadata.name = "svc2";
  other.clusterIPs = {"172.30.0.44"};
  other.externalIPs = {"192.168.1.2"}; // an address of this node
  other.loadBalancerIngress = {};
  other.ports = {{"dns", Protocol::udp, 30053, 0, {}, ""}};
  f.model.update(other);
  auto slice = test::slice_of(other, "R");
  slice.ports.front().port = 53;
  f.model.update(slice);
  (void)f.sync();
  f.endpoints("L");
  expect(f.sync(), {"n1:30053 R"}, {"n1b:30053 R"});
}

TEST(proxy_conntrack_cleanup, a_start_finds_what_went_while_nobody_looked) {
  Fixture f;
  const auto query = f.start("L");
  expect(query, {"Z:53 R", "C:53 R unmarked", "C:54 R", "C:53 -"},
         {"C:53 L", "Z:53 R unmarked", "Z:53 -", "n1:30053 Z unmarked"});
}

TEST(proxy_conntrack_cleanup, c13_16_17_nothing_is_looked_for_if_nothing_can_be_stale) {
  Fixture f;
  (void)f.start("L");
  f.endpoints("L L2 R");
  EXPECT_TRUE(f.sync().empty()) << "more endpoints";
  f.service.affinityTimeoutSeconds = 5;
  f.service.sessionAffinityClientIP = true;
  f.model.update(f.service);
  EXPECT_TRUE(f.sync().empty()) << "another setting";
  auto tcp = test::service_s();
  tcp.metadata.name = "svc2";
  f.model.update(tcp);
  f.model.update(test::slice_of(tcp, "L R"));
  EXPECT_TRUE(f.sync().empty()) << "a TCP Service comes";
  f.model.update(test::slice_of(tcp, "L"));
  EXPECT_TRUE(f.sync().empty()) << "and changes";
}

TEST(proxy_conntrack_cleanup, an_endpoint_that_only_topology_left_out_is_missed_all_the_same) {
  Fixture f;
  f.service.internalTrafficPolicy = kube::TrafficPolicy::Local;
  f.service.type = kube::ServiceType::ClusterIP;
  f.service.externalIPs = {};
  f.service.loadBalancerIngress = {};
  f.service.ports.front().nodePort = 0;
  expect(f.start("L R"), {}, {"C:53 R"});
  f.endpoints("L");
  expect(f.sync(), {"C:53 R"}, {"C:53 L"});
}

TEST(proxy_conntrack_cleanup, an_address_that_another_service_takes_over_is_judged_by_the_new_one) {
  Fixture f;
  (void)f.start("L");
  auto heir = service_u();
  for (const auto *name : {"svc0", "svc9"}) {
    SCOPED_TRACE(name);
    heir.metadata.name = name;
    f.model.remove_service({"ns1", f.service.metadata.name});
    f.model.update(heir);
    f.model.update(test::slice_of(heir, "R"));
    expect(f.sync(), {"C:53 L", "n1:30053 L unmarked"}, {"C:53 R", "n1:30053 R"});
    f.service = heir;
    (void)f.model.remove_slice({"ns1", std::string(name) + "-abcde"});
    f.endpoints("L");
    (void)f.sync();
  }
}

TEST(proxy_conntrack_cleanup, queries_that_wait_become_one) {
  Fixture f;
  (void)f.start("L L2 R");
  f.endpoints("L L2");
  auto query = f.sync();
  f.endpoints("L R");
  query.merge(f.sync());
  expect(query, {"n1:30053 L2 unmarked"}, {"n1:30053 R unmarked", "C:53 L"});
}

/// What the cleaner reported, and the table that it worked on.
struct Cleaned {
  kernel::conntrack::fake::Conntrack *table = nullptr;
  std::promise<void> first, second;
  std::vector<CleanupOutcome> outcomes;

  std::unique_ptr<FlowCleaner> start(unsigned failures) {
    auto conntrack = std::make_unique<kernel::conntrack::fake::Conntrack>();
    table = conntrack.get();
    table->failures = failures;
    std::uint32_t id = 1;
    for (const auto *text : {"C:53 L", "C:53 R", "C:53 R tcp", "n1:30053 R"}) {
      table->flows.push_back(flow_of(text));
      table->flows.back().id = id++;
    }
    return std::make_unique<FlowCleaner>(
        FlowCleaner::Parts{.conntrack = std::move(conntrack),
                           .localAddresses = []() -> Result<std::set<IpAddress>> { return kLocal; },
                           .report =
                               [this](const CleanupOutcome &outcome) {
                                 outcomes.push_back(outcome);
                                 if (outcomes.size() <= 2)
                                   (outcomes.size() == 1 ? first : second).set_value();
                               },
                           .interval = std::chrono::milliseconds(1)});
  }
};

TEST(proxy_flow_cleaner, stale_flows_are_removed_and_counted) {
  Fixture f;
  Cleaned cleaned;
  auto cleaner = cleaned.start(0);
  cleaner->look_for(f.start("L"));
  ASSERT_EQ(cleaned.first.get_future().wait_for(std::chrono::seconds(10)),
            std::future_status::ready);
  EXPECT_EQ(cleaned.outcomes.front().removed, 2U);
  EXPECT_FALSE(cleaned.outcomes.front().error);
  EXPECT_EQ(cleaned.table->flows.size(), 2U);
}

TEST(proxy_flow_cleaner, after_an_error_the_same_is_looked_for_again) {
  Fixture f;
  Cleaned cleaned;
  auto cleaner = cleaned.start(1);
  cleaner->look_for(f.start("L"));
  ASSERT_EQ(cleaned.second.get_future().wait_for(std::chrono::seconds(10)),
            std::future_status::ready);
  EXPECT_TRUE(cleaned.outcomes[0].error);
  EXPECT_EQ(cleaned.outcomes[1].removed, 2U);
}

} // namespace
} // namespace sluice::proxy
