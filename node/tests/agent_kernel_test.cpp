// A node made of a namespace, with one pod and the world outside: real routes, rules and packets.
//
//   pod (10.244.0.5) -- cni0 [node] uplink (192.0.2.1) -- out (192.0.2.254) [outside]
#include "kernel/netns.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "kernel/spawn.hpp"
#include "node/kernel_listener.hpp"
#include "node/loop.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::node {
namespace {

using namespace std::chrono_literals;
using kernel::NetNs;

std::string run_in(const NetNs &ns, const std::string &script) {
  const auto output =
      kernel::run_program({.argv = {"sh", "-ec", script}, .netns_fd = ns.fd()}, "", 30s);
  if (!output)
    return output.error().what();
  return output->stdout_text + output->stderr_text +
         (output->status.success() ? "" : "[" + output->status.str() + "]");
}

std::string path_of(const NetNs &ns) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ns.fd());
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class node_kernel : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("slc-nodek-" + std::to_string(::getpid()));
    for (auto *ns : {&node, &pod, &outside}) {
      auto made = NetNs::create();
      ASSERT_TRUE(made) << made.error().what();
      ns->emplace(std::move(*made));
    }
    ASSERT_EQ(run_in(*node, "ip link add name cni0 type bridge\n"
                            "ip address add 10.244.0.1/24 dev cni0\n"
                            "ip link add name uplink type veth peer name out netns " +
                                path_of(*outside) +
                                "\n"
                                "ip link add name p1 type veth peer name eth0 netns " +
                                path_of(*pod) +
                                "\n"
                                "ip link set p1 master cni0\n"
                                "ip address add 192.0.2.1/24 dev uplink\n"
                                "ip link set cni0 up; ip link set p1 up; ip link set uplink up"),
              "");
    ASSERT_EQ(run_in(*pod, "ip address add 10.244.0.5/24 dev eth0; ip link set eth0 up\n"
                           "ip route add default via 10.244.0.1"),
              "");
    ASSERT_EQ(run_in(*outside, "ip address add 192.0.2.254/24 dev out; ip link set out up\n"
                               "ip address add 10.244.9.9/32 dev lo"),
              "");
    // A veth says that its peer came up a moment later; until then routes are marked "linkdown".
    ASSERT_EQ(
        run_in(*node, "timeout 20 sh -c 'while ip route show | grep -q linkdown; do :; done'"), "");
    const auto opened = node->run([&]() -> Result<> {
      SLUICE_ASSIGN(auto socket, kernel::RtnlSocket::open(), "test");
      rtnl.emplace(std::move(socket));
      SLUICE_ASSIGN(auto nft_socket, kernel::nft::NftSocket::open(), "test");
      nft.emplace(std::move(nft_socket));
      return {};
    });
    ASSERT_TRUE(opened) << opened.error().what();
    agent.emplace(
        *rtnl, *nft, kernel::Sysctl(), CniConfigFile(folder),
        Settings{.node_name = "self", .cluster_cidrs = {Cidr::parse("10.244.0.0/16").value()}});
    cluster["self"] = {
        {Cidr::parse("10.244.0.0/24").value()}, {IpAddress::parse("192.0.2.1").value()}, {}};
    cluster["two"] = {
        {Cidr::parse("10.244.9.0/24").value()}, {IpAddress::parse("192.0.2.254").value()}, {}};
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  /// Sysctls are those of the thread's namespace.
  void round() {
    const auto done = node->run([&]() -> Result<> {
      SLUICE_ASSIGN(const auto actions, agent->plan(cluster), "round");
      for (const auto &error : agent->apply(actions))
        ADD_FAILURE() << error.what();
      SLUICE_ASSIGN(const auto again, agent->plan(cluster), "round");
      EXPECT_TRUE(again.empty()) << again.str();
      return {};
    });
    ASSERT_TRUE(done) << done.error().what();
  }

  std::filesystem::path folder;
  std::optional<NetNs> node, pod, outside;
  std::optional<kernel::RtnlSocket> rtnl;
  std::optional<kernel::nft::NftSocket> nft;
  std::optional<Agent> agent;
  Cluster cluster;
};

TEST_F(node_kernel, one_round_is_enough_and_the_tools_see_it) {
  round();
  EXPECT_EQ(run_in(*node, "ip route show proto 83"), "10.244.9.0/24 via 192.0.2.254 dev uplink \n");
  const auto table = run_in(*node, "nft list table inet sluice-node");
  EXPECT_TRUE(contains(table, "elements = { 10.244.0.0/24 }")) << table;
  EXPECT_TRUE(contains(table, "elements = { 10.244.0.0/16 }")) << table;
  EXPECT_TRUE(contains(table, "ip saddr @pods4 ip daddr != @cluster4")) << table;
  EXPECT_EQ(run_in(*node, "cat /proc/sys/net/ipv4/ip_forward"), "1\n");
  EXPECT_TRUE(contains(run_in(*node, "ip -d link show cni0"), "nf_call_iptables 1"));
}

TEST_F(node_kernel, pods_leave_the_cluster_with_the_nodes_address_and_stay_themselves_inside) {
  round();
  // The world outside has no way back to 10.244.0.5, only to the node.
  EXPECT_TRUE(contains(run_in(*pod, "ping -c1 -W5 192.0.2.254"), " 0% packet loss"));
  // Another node's pod sees the pod's own address: it answers once it has a route to it.
  EXPECT_TRUE(contains(run_in(*pod, "ping -c1 -W1 10.244.9.9 || true"), "100% packet loss"));
  EXPECT_EQ(run_in(*outside, "ip route add 10.244.0.0/24 via 192.0.2.1"), "");
  EXPECT_TRUE(contains(run_in(*pod, "ping -c1 -W5 10.244.9.9"), " 0% packet loss"));
}

TEST_F(node_kernel, cleaning_up_leaves_only_what_was_there) {
  const auto routes = run_in(*node, "ip route show");
  round();
  EXPECT_TRUE(agent->cleanup().empty());
  EXPECT_EQ(run_in(*node, "nft list ruleset"), "");
  EXPECT_EQ(run_in(*node, "ip route show"), routes);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(node_kernel, what_somebody_removes_comes_back) {
  Mailbox<Event> mailbox;
  Loop loop(*agent, mailbox, {.resync = 1h});
  std::thread thread([&] {
    const auto ran = node->run([&]() -> Result<> {
      SLUICE_ASSIGN(const auto listener,
                    KernelListener::start({nft->port_id()}, [&] { mailbox.put(KernelChanged{}); }),
                    "test");
      kube::Node self, two;
      self.metadata.name = "self";
      self.podCIDRs = {"10.244.0.0/24"};
      two.metadata.name = "two";
      two.podCIDRs = {"10.244.9.0/24"};
      two.addresses = {{"InternalIP", "192.0.2.254"}};
      using Change = kube::Change<kube::Node>;
      for (auto &object : {self, two})
        mailbox.put(Change{Change::Kind::added, object});
      mailbox.put(Change{Change::Kind::synced, {}});
      loop.run();
      return {};
    });
    EXPECT_TRUE(ran) << ran.error().what();
  });
  // Polls in the shell, so that no event of ours is waited for.
  const std::string route_is_there =
      "timeout 20 sh -c 'until ip route show proto 83 | grep -q 10.244.9; do sleep 0.05; done'";
  const std::string rules_are_there =
      "timeout 20 sh -c 'until nft list table inet sluice-node 2>/dev/null | grep -q masquerade; do sleep 0.05; done'";
  EXPECT_EQ(run_in(*node, route_is_there + "; " + rules_are_there), "");
  EXPECT_EQ(run_in(*node, "ip route del 10.244.9.0/24; " + route_is_there), "");
  EXPECT_EQ(run_in(*node, "ip link set uplink down; ip link set uplink up; " + route_is_there), "");
  EXPECT_EQ(run_in(*node, "nft flush ruleset; " + rules_are_there), "");
  EXPECT_EQ(run_in(*node, "nft delete table inet sluice-node; " + rules_are_there), "");
  mailbox.close();
  thread.join();
}

} // namespace
} // namespace sluice::node
