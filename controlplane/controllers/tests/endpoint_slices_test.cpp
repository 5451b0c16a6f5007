#include "controlplane/controllers/endpoint_slices.hpp"

#include <gtest/gtest.h>

namespace sluice::controlplane {
namespace {

using kube::EndpointSlice;
using kube::Pod;
using kube::Service;

Pod pod(const std::string &name, std::vector<std::string> ips, bool ready = true) {
  Pod result;
  result.metadata.name = name;
  result.metadata.namespace_ = "default";
  result.metadata.uid = "uid-" + name;
  result.nodeName = "n1";
  result.phase = "Running";
  result.podIPs = std::move(ips);
  result.conditions = {{"Ready", ready ? "True" : "False", "", "", ""}};
  return result;
}

Service service() {
  Service result;
  result.metadata.name = "web";
  result.metadata.namespace_ = "default";
  result.metadata.uid = "uid-web";
  result.selector = {{"app", "web"}};
  result.clusterIPs = {"10.96.0.9"};
  result.ipFamilies = {Family::ipv4};
  result.ports = {{"", Protocol::tcp, 80, 0, {8080, ""}, ""}};
  return result;
}

const std::map<std::string, std::string> kZones = {{"n1", "zone-a"}, {"n2", ""}};

/// What the API holds after the plan: names are given to new slices.
std::vector<EndpointSlice> applied(std::vector<EndpointSlice> slices, const SlicePlan &plan) {
  for (const auto &name : plan.remove)
    std::erase_if(slices, [&](const EndpointSlice &slice) { return slice.metadata.name == name; });
  for (const auto &changed : plan.update)
    for (auto &slice : slices)
      if (slice.metadata.name == changed.metadata.name)
        slice = changed;
  for (auto slice : plan.create) {
    slice.metadata.name = slice.metadata.generateName + std::to_string(slices.size());
    slices.push_back(std::move(slice));
  }
  return slices;
}

std::size_t endpoints_in(const std::vector<EndpointSlice> &slices) {
  std::size_t count = 0;
  for (const auto &slice : slices)
    count += slice.endpoints.size();
  return count;
}

TEST(controllers_endpoint_slices, pods_become_endpoints) {
  auto terminating = pod("c", {"10.0.0.3"});
  terminating.metadata.deletionTimestamp = "t";
  auto done = pod("d", {"10.0.0.4"});
  done.phase = "Succeeded";
  auto lost = pod("e", {"10.0.0.5"});
  lost.nodeName = "gone";
  const auto plan = plan_slices(service(),
                                {pod("a", {"10.0.0.1"}), pod("b", {"10.0.0.2"}, false), terminating,
                                 done, lost, pod("f", {})},
                                kZones, {});
  ASSERT_EQ(plan.create.size(), 1U);
  const auto &slice = plan.create[0];
  EXPECT_EQ(slice.metadata.generateName, "web-");
  EXPECT_EQ(slice.metadata.labels.at("kubernetes.io/service-name"), "web");
  EXPECT_EQ(slice.metadata.labels.count("service.kubernetes.io/headless"), 0U);
  EXPECT_EQ(slice.metadata.ownerReferences[0].uid, "uid-web");
  EXPECT_EQ(slice.addressType, "IPv4");
  ASSERT_EQ(slice.ports.size(), 1U);
  EXPECT_EQ(slice.ports[0].port, 8080);
  ASSERT_EQ(slice.endpoints.size(), 3U);
  EXPECT_EQ(slice.endpoints[0].conditions, (kube::EndpointConditions{true, true, false}));
  EXPECT_EQ(slice.endpoints[0].zone, "zone-a");
  EXPECT_EQ(slice.endpoints[0].targetName, "a");
  EXPECT_EQ(slice.endpoints[1].conditions, (kube::EndpointConditions{false, false, false}));
  EXPECT_EQ(slice.endpoints[2].conditions, (kube::EndpointConditions{false, true, true}));
}

TEST(controllers_endpoint_slices, publish_not_ready_makes_all_of_them_ready) {
  auto publishing = service();
  publishing.publishNotReadyAddresses = true;
  const auto plan = plan_slices(publishing, {pod("b", {"10.0.0.2"}, false)}, {}, {});
  ASSERT_EQ(plan.create.size(), 1U);
  EXPECT_EQ(plan.create[0].endpoints[0].conditions, (kube::EndpointConditions{true, false, false}));
}

TEST(controllers_endpoint_slices, two_families_make_two_slices) {
  auto dual = service();
  dual.ipFamilies = {Family::ipv4, Family::ipv6};
  const auto plan =
      plan_slices(dual, {pod("a", {"10.0.0.1", "fd00::1"}), pod("b", {"10.0.0.2"})}, kZones, {});
  ASSERT_EQ(plan.create.size(), 2U);
  EXPECT_EQ(plan.create[0].endpoints.size(), 2U);
  EXPECT_EQ(plan.create[1].addressType, "IPv6");
  EXPECT_EQ(plan.create[1].endpoints.size(), 1U);
}

TEST(controllers_endpoint_slices, named_ports_are_resolved_per_pod) {
  auto named = service();
  named.ports[0].targetPort = {0, "http"};
  auto a = pod("a", {"10.0.0.1"}), b = pod("b", {"10.0.0.2"});
  a.containers = {{}};
  a.containers[0].ports = {{"http", 8080, Protocol::tcp}};
  b.containers = {{}};
  b.containers[0].ports = {{"http", 9090, Protocol::tcp}};
  const auto plan = plan_slices(named, {a, b}, kZones, {});
  ASSERT_EQ(plan.create.size(), 2U);
  EXPECT_EQ(plan.create[0].ports[0].port, 8080);
  EXPECT_EQ(plan.create[1].ports[0].port, 9090);
}

TEST(controllers_endpoint_slices, a_service_without_pods_has_an_empty_slice) {
  auto headless = service();
  headless.clusterIPs = {"None"};
  const auto plan = plan_slices(headless, {}, kZones, {});
  ASSERT_EQ(plan.create.size(), 1U);
  EXPECT_TRUE(plan.create[0].endpoints.empty());
  EXPECT_EQ(plan.create[0].metadata.labels.count("service.kubernetes.io/headless"), 1U);
  const auto held = applied({}, plan);
  EXPECT_TRUE(plan_slices(headless, {}, kZones, held).empty());
  const auto next = plan_slices(headless, {pod("a", {"10.0.0.1"})}, kZones, held);
  EXPECT_EQ(next.update.size(), 1U) << "the empty slice is filled";
  EXPECT_TRUE(next.create.empty() && next.remove.empty());
}

TEST(controllers_endpoint_slices, without_a_selector_there_is_none) {
  auto without = service();
  const auto held = applied({}, plan_slices(service(), {}, kZones, {}));
  without.selector.clear();
  EXPECT_EQ(plan_slices(without, {pod("a", {"10.0.0.1"})}, kZones, held).remove.size(), 1U);
}

TEST(controllers_endpoint_slices, one_change_is_one_write) {
  std::vector<Pod> pods;
  for (int i = 0; i < 250; ++i)
    pods.push_back(pod("p" + std::to_string(i),
                       {IpAddress::from_v4(0x0a000001U + static_cast<std::uint32_t>(i)).str()}));
  auto held = applied({}, plan_slices(service(), pods, kZones, {}));
  ASSERT_EQ(held.size(), 3U);
  EXPECT_EQ(endpoints_in(held), 250U);
  EXPECT_TRUE(plan_slices(service(), pods, kZones, held).empty());

  pods[7].conditions[0].status = "False";
  auto plan = plan_slices(service(), pods, kZones, held);
  EXPECT_EQ(plan.update.size(), 1U) << "a pod that is no longer ready";
  EXPECT_TRUE(plan.create.empty() && plan.remove.empty());
  held = applied(held, plan);

  pods.erase(pods.begin() + 7);
  plan = plan_slices(service(), pods, kZones, held);
  EXPECT_EQ(plan.update.size(), 1U) << "a pod that left";
  held = applied(held, plan);

  pods.push_back(pod("new", {"10.9.9.9"}));
  plan = plan_slices(service(), pods, kZones, held);
  EXPECT_EQ(plan.update.size(), 1U) << "a pod that came";
  EXPECT_TRUE(plan.create.empty());
  held = applied(held, plan);
  EXPECT_EQ(endpoints_in(held), 250U);

  plan = plan_slices(service(), {}, kZones, held);
  EXPECT_EQ(plan.remove.size(), 2U) << "one empty slice stays";
  EXPECT_EQ(endpoints_in(applied(held, plan)), 0U);
}

TEST(controllers_endpoint_slices, a_changed_target_port_rewrites_the_slice_under_its_name) {
  auto changed = service();
  changed.ports[0].targetPort.number = 9090;
  const auto held = applied({}, plan_slices(service(), {pod("a", {"10.0.0.1"})}, kZones, {}));
  const auto plan = plan_slices(changed, {pod("a", {"10.0.0.1"})}, kZones, held);
  ASSERT_EQ(plan.update.size(), 1U);
  EXPECT_TRUE(plan.create.empty() && plan.remove.empty());
  EXPECT_EQ(plan.update[0].metadata.name, held[0].metadata.name);
}

TEST(controllers_endpoint_slices, hints_follow_the_distribution) {
  auto near = service();
  near.trafficDistribution = "PreferSameNode";
  const auto plan =
      plan_slices(near, {pod("a", {"10.0.0.1"}), pod("b", {"10.0.0.2"}, false)}, kZones, {});
  ASSERT_EQ(plan.create.size(), 1U);
  EXPECT_EQ(plan.create[0].endpoints[0].hintZones, std::vector<std::string>{"zone-a"});
  EXPECT_EQ(plan.create[0].endpoints[0].hintNodes, std::vector<std::string>{"n1"});
  EXPECT_TRUE(plan.create[0].endpoints[1].hintZones.empty());
}

} // namespace
} // namespace sluice::controlplane
