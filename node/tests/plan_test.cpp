#include "node/plan.hpp"
#include "node/routes.hpp"

#include <gtest/gtest.h>

namespace sluice::node {
namespace {

Cidr cidr(const char *text) { return Cidr::parse(text).value(); }
IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }

NodeNetwork node(std::vector<const char *> pods, std::vector<const char *> ips) {
  NodeNetwork network;
  for (const auto *text : pods)
    network.pod_cidrs.push_back(cidr(text));
  for (const auto *text : ips)
    network.internal_ips.push_back(ip(text));
  return network;
}

std::vector<kernel::LinkAddress> own_addresses() {
  std::vector<kernel::LinkAddress> own;
  for (const auto *text : {"127.0.0.1/8", "192.0.2.1/24", "2001:db8::1/64", "198.51.100.7/32"})
    own.push_back({kernel::IfIndex(2), InterfaceAddress::parse(text).value()});
  return own;
}

const NodeNetwork kSelf = node({"10.244.0.0/24", "2001:db8:a::/64"}, {"192.0.2.1", "2001:db8::1"});

TEST(node_plan, other_nodes_pods_are_behind_their_addresses) {
  const Cluster cluster = {
      {"self", kSelf},
      {"two", node({"10.244.1.0/24", "2001:db8:b::/64"}, {"192.0.2.2", "2001:db8::2"})},
      {"three", node({"10.244.2.0/24"}, {"192.0.2.3"})},
      {"new", node({}, {"192.0.2.4"})},
  };
  const auto desired = plan(cluster, {.node_name = "self"}, own_addresses());
  const std::map<Cidr, IpAddress> routes = {
      {cidr("10.244.1.0/24"), ip("192.0.2.2")},
      {cidr("10.244.2.0/24"), ip("192.0.2.3")},
      {cidr("2001:db8:b::/64"), ip("2001:db8::2")},
  };
  EXPECT_EQ(desired.routes, routes);
  EXPECT_EQ(desired.own_pod_cidrs, kSelf.pod_cidrs);
  EXPECT_TRUE(desired.problems.empty()) << desired.problems.front().what;
}

TEST(node_plan, a_node_that_cannot_be_served_is_named_and_the_others_are_served) {
  struct Case {
    const char *name;
    NodeNetwork node;
    const char *words;
    int line;
  };
  const Case cases[] = {
      {"not on our link", node({"10.244.9.0/24"}, {"203.0.113.9"}), "host-gw", __LINE__},
      {"a /32 of ours is no link", node({"10.244.9.0/24"}, {"198.51.100.7"}), "own", __LINE__},
      {"no address of that family", node({"2001:db8:9::/64"}, {"192.0.2.9"}), "IPv6", __LINE__},
      {"our own address", node({"10.244.9.0/24"}, {"192.0.2.1"}), "this node's own", __LINE__},
      {"overlaps ours", node({"10.244.0.0/16"}, {"192.0.2.9"}), "\"self\"", __LINE__},
      {"overlaps another's", node({"10.244.1.128/25"}, {"192.0.2.9"}), "\"a\"", __LINE__},
      {"gateway inside its own pods", node({"192.0.2.8/29"}, {"192.0.2.9"}), "inside", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const Cluster cluster = {
        {"self", kSelf}, {"a", node({"10.244.1.0/24"}, {"192.0.2.2"})}, {"bad", c.node}};
    const auto desired = plan(cluster, {.node_name = "self"}, own_addresses());
    ASSERT_EQ(desired.problems.size(), 1U);
    EXPECT_EQ(desired.problems[0].node, "bad");
    EXPECT_NE(desired.problems[0].what.find(c.words), std::string::npos)
        << desired.problems[0].what;
    EXPECT_EQ(desired.routes.size(), 1U);
  }
}

TEST(node_plan, what_a_node_says_badly_is_quoted) {
  kube::Node bad;
  bad.podCIDRs = {"10.244.1.0/24", "10.244.1.7/24"};
  bad.addresses = {{"Hostname", "bad"}, {"InternalIP", "192.0.2.300"}, {"InternalIP", "192.0.2.3"}};
  const auto network = network_of(bad);
  EXPECT_EQ(network.pod_cidrs, std::vector<Cidr>{cidr("10.244.1.0/24")});
  EXPECT_EQ(network.internal_ips, std::vector<IpAddress>{ip("192.0.2.3")});
  const auto desired = plan({{"bad", network}}, {.node_name = "self"}, own_addresses());
  ASSERT_EQ(desired.problems.size(), 2U);
  EXPECT_NE(desired.problems[0].what.find("\"10.244.1.7/24\""), std::string::npos);
  EXPECT_NE(desired.problems[1].what.find("\"192.0.2.300\""), std::string::npos);
  EXPECT_EQ(desired.routes.size(), 1U);
}

TEST(node_plan, traffic_inside_the_cluster_keeps_its_address) {
  const Cluster cluster = {{"self", kSelf}, {"two", node({"10.244.1.0/24"}, {"192.0.2.2"})}};
  const Settings settings{.node_name = "self", .cluster_cidrs = {cidr("10.96.0.0/16")}};
  const auto desired = plan(cluster, settings, own_addresses());
  const std::vector<AddressRange> pods = {
      {ip("10.244.0.0"), ip("10.244.0.255")},
      {ip("2001:db8:a::"), ip("2001:db8:a::ffff:ffff:ffff:ffff")}};
  EXPECT_EQ(desired.pods, pods);
  const std::vector<AddressRange> inside = {
      {ip("10.96.0.0"), ip("10.96.255.255")},
      {ip("10.244.0.0"), ip("10.244.1.255")},
      {ip("2001:db8:a::"), ip("2001:db8:a::ffff:ffff:ffff:ffff")}};
  EXPECT_EQ(desired.cluster, inside);
}

TEST(node_plan, ranges_are_disjoint_and_apart) {
  EXPECT_TRUE(merged({}).empty());
  const std::vector<AddressRange> all = {{ip("10.0.0.0"), ip("10.0.3.255")},
                                         {ip("10.0.5.0"), ip("10.0.5.255")},
                                         {ip("::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}};
  EXPECT_EQ(
      merged({cidr("10.0.5.0/24"), cidr("10.0.2.0/24"), cidr("10.0.0.0/23"), cidr("10.0.0.128/25"),
              cidr("10.0.3.0/24"), cidr("::/0"), cidr("10.0.2.0/24"), cidr("ff00::/8")}),
      all);
}

kernel::Route route(const char *destination, const char *gateway) {
  return {.destination = cidr(destination), .gateway = ip(gateway), .link = kernel::IfIndex(3)};
}

TEST(node_routes, only_what_differs_is_touched) {
  auto foreign = route("10.244.8.0/24", "192.0.2.8");
  foreign.protocol = 3;
  kernel::Route to_a_pod{.destination = cidr("10.244.0.5/32"), .link = kernel::IfIndex(9)};
  auto v6 = route("2001:db8:b::/64", "2001:db8::2");
  v6.priority = 1024;
  auto stray = route("10.244.1.0/24", "192.0.2.2");
  stray.priority = 77;
  const std::vector<kernel::Route> actual = {route("10.244.1.0/24", "192.0.2.2"),
                                             route("10.244.2.0/24", "192.0.2.3"),
                                             route("10.244.9.0/24", "192.0.2.9"),
                                             foreign,
                                             to_a_pod,
                                             v6,
                                             stray};
  const std::map<Cidr, IpAddress> desired = {
      {cidr("10.244.1.0/24"), ip("192.0.2.2")},
      {cidr("10.244.2.0/24"), ip("192.0.2.33")},
      {cidr("10.244.3.0/24"), ip("192.0.2.4")},
      {cidr("2001:db8:b::/64"), ip("2001:db8::2")},
  };
  EXPECT_EQ(plan_routes(actual, desired).str(),
            "route del 10.244.1.0/24 via 192.0.2.2 dev #3 proto 83 metric 77\n"
            "route replace 10.244.2.0/24 via 192.0.2.33 proto 83\n"
            "route add 10.244.3.0/24 via 192.0.2.4 proto 83\n"
            "route del 10.244.9.0/24 via 192.0.2.9 proto 83\n");
  EXPECT_TRUE(plan_routes({}, {}).empty());
}

} // namespace
} // namespace sluice::node
