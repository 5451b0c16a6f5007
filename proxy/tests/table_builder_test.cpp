// What a change costs: exactly the frontends and backend sets that it touches.

#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using test::endpoints_from;
using test::slice_of;

kube::Service cluster_ip_service(const std::string &name, const std::string &address) {
  auto service = test::service_s();
  service.type = kube::ServiceType::ClusterIP;
  service.metadata.name = name;
  service.clusterIPs = {address};
  service.ports[0].nodePort = 0;
  service.externalIPs.clear();
  service.loadBalancerIngress.clear();
  return service;
}

struct Fixture {
  Model model{Family::ipv4, "n1"};
  kube::Service a = cluster_ip_service("a", "172.30.0.1");
  kube::Service b = cluster_ip_service("b", "172.30.0.2");

  Fixture() {
    model.set_node(test::node_n1(), "");
    model.update(a);
    model.update(b);
    model.update(slice_of(a, "L R"));
    model.update(slice_of(b, "L2"));
    model.sync();
  }
};

std::string summary(const TableDelta &delta) {
  return "+" + std::to_string(delta.setFrontends.size()) + "-" +
         std::to_string(delta.removeFrontends.size()) + " frontends, +" +
         std::to_string(delta.setBackends.size()) + "-" +
         std::to_string(delta.removeBackends.size()) + " sets";
}

TEST(proxy_table_builder, an_endpoint_that_leaves_changes_one_set_in_place) {
  Fixture f;
  const auto before = f.model.table().backendSets;
  f.model.update(slice_of(f.a, "L"));
  const auto change = f.model.sync();
  EXPECT_EQ(summary(change.delta), "+0-0 frontends, +1-0 sets");
  EXPECT_EQ(change.services.size(), 1U);
  EXPECT_EQ(before.count(change.delta.setBackends.begin()->first), 1U) << "the id is kept";
}

TEST(proxy_table_builder, the_last_endpoint_takes_its_set_along_and_the_frontend_rejects) {
  Fixture f;
  f.model.update(slice_of(f.a, ""));
  const auto change = f.model.sync();
  EXPECT_EQ(summary(change.delta), "+1-0 frontends, +0-1 sets");
  const auto &path = change.delta.setFrontends.begin()->second.from_pod;
  EXPECT_EQ(path.backends.value, 0U);
  EXPECT_EQ(path.whenEmpty, WhenEmpty::reject);
}

TEST(proxy_table_builder, services_with_equal_endpoints_share_a_set_and_change_it_together) {
  Fixture f;
  f.model.update(slice_of(f.b, "L R"));
  f.model.sync();
  EXPECT_EQ(f.model.table().backendSets.size(), 1U);
  f.model.update(slice_of(f.a, "L"));
  f.model.update(slice_of(f.b, "L"));
  EXPECT_EQ(summary(f.model.sync().delta), "+0-0 frontends, +1-0 sets");
  f.model.update(slice_of(f.b, "L R"));
  EXPECT_EQ(summary(f.model.sync().delta), "+1-0 frontends, +1-0 sets") << "they part again";
}

TEST(proxy_table_builder, what_comes_and_goes_between_two_syncs_is_nothing) {
  Fixture f;
  f.model.update(slice_of(f.a, "L R L3"));
  f.model.update(slice_of(f.a, "L R"));
  const auto c = cluster_ip_service("c", "172.30.0.3");
  f.model.update(c);
  f.model.remove_service({"ns1", "c"});
  EXPECT_TRUE(f.model.sync().delta.empty());
}

TEST(proxy_table_builder, an_object_delivered_again_is_no_change) {
  Fixture f;
  EXPECT_FALSE(f.model.update(f.a));
  EXPECT_FALSE(f.model.update(slice_of(f.a, "L R")));
  auto annotated = slice_of(f.a, "L R");
  annotated.metadata.resourceVersion = "77";
  annotated.metadata.annotations["endpoints.kubernetes.io/last-change-trigger-time"] = "now";
  EXPECT_FALSE(f.model.update(annotated));
}

TEST(proxy_table_builder, a_slice_moves_to_another_service_when_its_label_changes) {
  Fixture f;
  auto moved = slice_of(f.a, "L R");
  moved.metadata.labels["kubernetes.io/service-name"] = "b";
  f.model.update(moved);
  f.model.sync();
  const auto &table = f.model.table();
  EXPECT_EQ(
      table.frontends.at({test::ip("172.30.0.1"), Port{80}, Protocol::tcp}).from_pod.backends.value,
      0U);
  const auto id =
      table.frontends.at({test::ip("172.30.0.2"), Port{80}, Protocol::tcp}).from_pod.backends;
  EXPECT_EQ(table.backendSets.at(id).size(), 3U);
}

TEST(proxy_table_builder, of_two_services_with_one_address_one_wins_and_the_other_waits) {
  Fixture f;
  auto thief = cluster_ip_service("thief", "172.30.0.9");
  thief.externalIPs = {"172.30.0.1"};
  f.model.update(thief);
  f.model.sync();
  const Frontend contested{test::ip("172.30.0.1"), Port{80}, Protocol::tcp};
  EXPECT_EQ(f.model.table().frontends.at(contested).service.name, "a") << "clusterIP goes first";
  f.model.remove_service({"ns1", "a"});
  f.model.sync();
  EXPECT_EQ(f.model.table().frontends.at(contested).service.name, "thief");
  f.model.update(f.a);
  f.model.sync();
  EXPECT_EQ(f.model.table().frontends.at(contested).service.name, "a");
}

TEST(proxy_table_builder, a_restarted_process_arrives_at_the_same_ids) {
  Fixture one, two;
  EXPECT_EQ(one.model.table(), two.model.table());
  one.model.update(slice_of(one.a, "L R L3"));
  one.model.sync();
  Fixture fresh;
  fresh.model.update(slice_of(fresh.a, "L R L3"));
  fresh.model.sync();
  EXPECT_EQ(one.model.table(), fresh.model.table());
}

TEST(proxy_table_builder, what_the_data_plane_cannot_do_is_not_in_the_table) {
  Model model(Family::ipv4, "n1", [](const Frontend &, FrontendInfo &info) {
    return info.kind == FrontendKind::cluster_ip;
  });
  auto service = test::service_s();
  service.externalTrafficPolicy = kube::TrafficPolicy::Local;
  model.update(service);
  model.update(slice_of(service, "L R"));
  model.sync();
  EXPECT_EQ(model.table().frontends.size(), 1U);
  EXPECT_EQ(model.table().backendSets.size(), 1U) << "no set for the local list alone";
}

TEST(proxy_table_builder, each_family_sees_its_own_addresses) {
  Model v6(Family::ipv6, "n1");
  auto service = cluster_ip_service("dual", "172.30.0.7");
  service.clusterIPs = {"172.30.0.7", "2001:db8::7"};
  service.ipFamilies = {Family::ipv4, Family::ipv6};
  v6.update(service);
  v6.update(slice_of(service, "L")); // an IPv4 slice
  v6.sync();
  ASSERT_EQ(v6.table().frontends.size(), 1U);
  EXPECT_EQ(v6.table().frontends.begin()->first.address, test::ip("2001:db8::7"));
  EXPECT_TRUE(v6.table().backendSets.empty());
  service.clusterIPs = {"2001:db8::7", "172.30.0.7"};
  service.ipFamilies = {Family::ipv6, Family::ipv4};
  EXPECT_FALSE(v6.update(service)) << "the order of the families does not matter";
}

} // namespace
} // namespace sluice::proxy
