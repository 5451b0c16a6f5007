#include "cluster/daemons.hpp"
#include "cluster/state.hpp"
#include "cluster/underlay.hpp"

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::cluster;

namespace {

Plan plan_of(unsigned nodes, const char *families = "dual") {
  return *plan_cluster({"demo", nodes, *parse_families(families), "nftables"});
}

} // namespace

TEST(cluster_plan, names_are_dns_labels_of_at_most_40_characters) {
  struct Case {
    std::string name;
    bool good;
    int line;
  };
  const Case cases[] = {
      {"demo", true, __LINE__},
      {"a", true, __LINE__},
      {"a-1", true, __LINE__},
      {"1", true, __LINE__},
      {std::string(40, 'x'), true, __LINE__},
      {std::string(41, 'x'), false, __LINE__},
      {"", false, __LINE__},
      {"-a", false, __LINE__},
      {"a-", false, __LINE__},
      {"Demo", false, __LINE__},
      {"a/b", false, __LINE__},
      {"..", false, __LINE__},
      {"a b", false, __LINE__},
      {"a\n", false, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE("\"" + c.name + "\" (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(check_cluster_name(c.name).has_value(), c.good);
    EXPECT_EQ(plan_cluster({c.name, 1, {Family::ipv4}, "nftables"}).has_value(), c.good);
  }
}

TEST(cluster_plan, a_cluster_has_1_to_200_nodes) {
  EXPECT_FALSE(plan_cluster({"demo", 0, {Family::ipv4}, "nftables"}));
  EXPECT_TRUE(plan_cluster({"demo", 200, {Family::ipv4}, "nftables"}));
  EXPECT_FALSE(plan_cluster({"demo", 201, {Family::ipv4}, "nftables"}));
}

TEST(cluster_plan, every_address_of_the_underlay_is_given_once) {
  for (const char *families : {"dual", "ipv4", "ipv6"}) {
    SCOPED_TRACE(families);
    const auto plan = plan_of(200, families);
    std::set<InterfaceAddress> seen(plan.fabric_addresses.begin(), plan.fabric_addresses.end());
    std::size_t given = plan.fabric_addresses.size();
    for (const auto &node : plan.nodes) {
      ASSERT_EQ(node.addresses.size(), plan.fabric_addresses.size());
      for (std::size_t i = 0; i < node.addresses.size(); ++i) {
        EXPECT_EQ(node.addresses[i].network(), plan.fabric_addresses[i].network());
        EXPECT_NE(node.addresses[i].ip, node.addresses[i].network().last());
        seen.insert(node.addresses[i]);
        ++given;
      }
    }
    EXPECT_EQ(seen.size(), given);
    EXPECT_EQ(plan.api.ip, plan.fabric_addresses.front().ip);
  }
}

TEST(cluster_plan, a_cluster_knows_its_namespaces_from_those_of_similar_names) {
  struct Case {
    const char *netns, *cluster;
    bool ours;
    int line;
  };
  const Case cases[] = {
      {"slc-a-fabric", "a", true, __LINE__},
      {"slc-a-node1", "a", true, __LINE__},
      {"slc-a-node12", "a", true, __LINE__},
      {"slc-a-node", "a", false, __LINE__},
      {"slc-a-node1-fabric", "a", false, __LINE__},
      {"slc-a-node1-fabric", "a-node1", true, __LINE__},
      {"slc-a-node1-node1", "a", false, __LINE__},
      {"slc-ab-fabric", "a", false, __LINE__},
      {"cni-1234", "a", false, __LINE__},
      {"", "a", false, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.netns) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(is_netns_of(c.netns, c.cluster), c.ours);
  }
  const auto plan = plan_of(2);
  EXPECT_TRUE(is_netns_of(plan.fabric_netns_name, "demo"));
  for (const auto &node : plan.nodes)
    EXPECT_TRUE(is_netns_of(node.netns_name, "demo"));
}

TEST(cluster_underlay, the_wires_of_two_nodes) {
  const auto plan = plan_of(2);
  EXPECT_EQ(plan_fabric(plan, {7, 8}).size(), 1U + 2U + 2U) << "bridge, two addresses, two veths";
  const auto links = plan_node_links(plan, plan.nodes[0]);
  EXPECT_EQ(links.size(), 1U + 2U + 2U) << "up, two addresses, two default routes";
}

TEST(cluster_daemons, every_flag_of_a_node_names_that_node) {
  const auto plan = plan_of(2);
  const auto daemons = node_daemons(plan, plan.nodes[1], {"/opt/sluice", "/cg/demo/node2"});
  ASSERT_EQ(daemons.size(), 3U);
  const auto has = [](const Daemon &daemon, const std::string &flag, const std::string &value) {
    for (std::size_t i = 0; i + 1 < daemon.argv.size(); ++i)
      if (daemon.argv[i] == flag && daemon.argv[i + 1] == value)
        return true;
    return false;
  };
  EXPECT_TRUE(has(daemons[0], "--node-name", "node2"));
  EXPECT_TRUE(has(daemons[1], "--hostname-override", "node2"));
  EXPECT_TRUE(has(daemons[1], "--cluster-cidr", "10.244.0.0/16,fd00:10:244::/56"));
  EXPECT_TRUE(has(daemons[2], "--node-ip", "172.18.0.12"));
  EXPECT_TRUE(has(daemons[2], "--node-ip", "fd00:172:18::c"));
  EXPECT_TRUE(has(daemons[2], "--cgroup", "/cg/demo/node2/pods"));
}

TEST(cluster_state, what_is_written_reads_back) {
  const State state{"demo", "2026-11-21T08:00:00Z", Port(40001), {"node1", "node2"}};
  const auto back = parse_state(to_json(state));
  ASSERT_TRUE(back) << back.error().what();
  EXPECT_EQ(back->name, state.name);
  EXPECT_EQ(back->created, state.created);
  EXPECT_EQ(back->api_port, state.api_port);
  EXPECT_EQ(back->nodes, state.nodes);
  for (const char *bad : {"", "{}", "[1]", R"({"name": 1})"})
    EXPECT_FALSE(parse_state(bad)) << bad;
}

TEST(cluster_list, a_cluster_says_what_is_wrong_with_it) {
  ClusterInfo info{
      "demo", "2026-11-21T08:00:00Z", Port(1), {{"control plane", true}, {"node1", true}}};
  EXPECT_EQ(info.state(), "running");
  info.members[1].running = false;
  EXPECT_EQ(info.state(), "degraded: node1 is not running");
  info.created.clear();
  EXPECT_EQ(info.state(), "incomplete");
}
