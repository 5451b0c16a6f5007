// The built plugin in mode "routed", read back with ip(8).
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class cni_routed : public testing::Test {
protected:
  /// The node has addresses of its own, as a host end has none to speak from.
  cni_routed() {
    driver.on_host("ip addr add 192.0.2.1/32 dev lo; ip addr add fd99::1/128 dev lo");
  }
  static std::string usual(const Driver &driver, const std::string &members = {}) {
    return driver.config(
        R"("mode":"routed","ipMasq":true,)" + members,
        R"("type":"sluice-ipam","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])");
  }
  std::string added(const std::string &id) {
    const auto run = driver.call(Command::add, id, usual(driver));
    EXPECT_EQ(run.exit_status, 0) << run.output;
    return run.output;
  }
  void expect_clean() {
    EXPECT_FALSE(contains(driver.on_host("ip -br link"), "veth"));
    EXPECT_EQ(driver.reserved(), "");
    EXPECT_FALSE(contains(driver.on_host("ip route; ip -6 route"), "77"));
  }
  void expect_ping(const std::string &said) {
    EXPECT_TRUE(contains(said, " 0% packet loss")) << said;
  }
  Driver driver;
};

TEST_F(cni_routed, the_first_packet_arrives_at_once_everywhere) {
  added("c1");
  for (const auto *node : {"192.0.2.1", "fd99::1"})
    expect_ping(driver.in_pod("c1", std::string("ping -c1 -W1 ") + node));
  added("c2");
  for (const auto *pod : {"10.77.0.2", "fd77::2"})
    expect_ping(driver.in_pod("c2", std::string("ping -c1 -W1 ") + pod));
  for (const auto *pod : {"10.77.0.3", "fd77::3"})
    expect_ping(driver.on_host(std::string("ping -c1 -W1 ") + pod));
  EXPECT_FALSE(contains(driver.in_pod("c2", "ip addr show eth0 scope global"), "tentative"));
}

TEST_F(cni_routed, pods_are_reached_when_nobody_remembers_a_neighbour) {
  added("c1");
  driver.on_host("ip neigh flush all");
  driver.in_pod("c1", "ip neigh flush all");
  expect_ping(driver.on_host("ping -c1 -W1 10.77.0.2"));
  expect_ping(driver.in_pod("c1", "ping -c1 -W1 192.0.2.1"));
  // The node may ask in IPv6 only when its own link-local address has passed its detection.
  expect_ping(driver.in_pod("c1", "timeout 10 sh -c 'until ping -c1 -W1 fd99::1; do :; done'"));
}

TEST_F(cni_routed, the_pod_has_single_addresses_and_one_way_out) {
  const auto result = parse_result(added("c1"), kLatestVersion).value();
  EXPECT_EQ(driver.in_pod("c1", "ip -4 route | sed -E 's/ proto 83//; s/ +$//' | sort"),
            "169.254.1.1 dev eth0 scope link\ndefault via 169.254.1.1 dev eth0\n");
  EXPECT_TRUE(contains(driver.in_pod("c1", "ip -6 route"), "default via fe80::1 dev eth0"));
  const auto pod = driver.in_pod("c1", "ip addr show eth0");
  EXPECT_TRUE(contains(pod, "inet 10.77.0.2/32 ")) << pod;
  EXPECT_TRUE(contains(pod, "inet6 fd77::2/128 ")) << pod;
  EXPECT_TRUE(contains(driver.in_pod("c1", "ip neigh show 169.254.1.1"), "PERMANENT"));
  const auto route = driver.on_host("ip route show 10.77.0.2");
  EXPECT_TRUE(contains(route, "10.77.0.2 dev " + result.interfaces.at(0).name + " proto 84"))
      << route;
  EXPECT_FALSE(contains(driver.on_host("ip addr show type veth scope global"), "inet"));
  EXPECT_EQ(driver.on_host("ip link show type bridge"), "");
  ASSERT_EQ(result.interfaces.size(), 2U);
  EXPECT_EQ(result.ips.at(0).address.str(), "10.77.0.2/32");
  EXPECT_EQ(result.ips.at(0).gateway->str(), "169.254.1.1");
  EXPECT_EQ(result.ips.at(1).gateway->str(), "fe80::1");
}

TEST_F(cni_routed, every_version_gets_its_form) {
  struct Case {
    const char *version, *mentions;
    int line;
  };
  const Case cases[] = {
      {"0.2.0", R"("ip4":{"ip":"10.77.0.2/32","gateway":"169.254.1.1")", __LINE__},
      {"0.3.1", R"("version":"6")", __LINE__},
      {"0.4.0", R"("address":"fd77::2/128")", __LINE__},
      {"1.0.0", R"("address":"fd77::2/128")", __LINE__},
      {"1.1.0", R"("mtu":1500)", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.version) + " (line " + std::to_string(c.line) + ")");
    Driver fresh;
    auto config = usual(fresh);
    config.replace(config.find("1.1.0"), 5, c.version);
    const auto run = fresh.call(Command::add, "c1", config);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    EXPECT_TRUE(contains(run.output, c.mentions)) << run.output;
    EXPECT_EQ(fresh.call(Command::del, "c1", config).output, "");
    EXPECT_EQ(fresh.reserved(), "");
  }
}

TEST_F(cni_routed, the_mac_and_the_mtu_asked_for_are_taken) {
  const auto config = usual(driver, R"("mtu":1400,"runtimeConfig":{"mac":"02:00:00:00:00:77"},)");
  const auto run = driver.call(Command::add, "c1", config);
  EXPECT_TRUE(contains(run.output, "02:00:00:00:00:77")) << run.output;
  const auto link = driver.in_pod("c1", "ip link show eth0");
  EXPECT_TRUE(contains(link, "mtu 1400") && contains(link, "02:00:00:00:00:77")) << link;
  EXPECT_EQ(driver.call(Command::check, "c1", with_previous(config, run.output)).output, "");
}

TEST_F(cni_routed, del_removes_everything_with_or_without_the_namespace) {
  EXPECT_EQ(driver.call(Command::del, "c1", usual(driver)).output, "") << "nothing was added";
  for (const auto *netns : {"/run/netns/slc-gone", "", "/etc/passwd"}) {
    SCOPED_TRACE(netns);
    added("c1");
    EXPECT_EQ(driver.call(Command::del, "c1", usual(driver), {{"CNI_NETNS", netns}}).output, "");
    expect_clean();
  }
}

TEST_F(cni_routed, a_pod_of_one_mode_is_removed_by_a_configuration_of_the_other) {
  added("c1");
  EXPECT_EQ(driver.del("c1").output, "");
  expect_clean();
  EXPECT_EQ(driver.add("c2").exit_status, 0);
  EXPECT_EQ(driver.call(Command::del, "c2", usual(driver)).output, "");
  EXPECT_EQ(driver.reserved(), "");
  EXPECT_FALSE(contains(driver.on_host("ip -br link"), "veth"));
}

TEST_F(cni_routed, a_failure_after_the_address_leaves_nothing) {
  driver.in_pod("c1", "ip link add eth0 type bridge");
  const auto taken = driver.call(Command::add, "c1", usual(driver));
  EXPECT_TRUE(contains(taken.output, "\"code\":101,")) << taken.output;
  expect_clean();
  // Somebody else routes the address that comes next.
  driver.on_host("ip route add 10.77.0.3 dev lo scope link");
  const auto routed = driver.call(Command::add, "c2", usual(driver));
  EXPECT_EQ(routed.exit_status, 1) << routed.output;
  EXPECT_TRUE(contains(routed.output, "route add 10.77.0.3")) << routed.output;
  driver.on_host("ip route del 10.77.0.3 dev lo");
  expect_clean();
}

TEST_F(cni_routed, check_names_what_is_damaged) {
  struct Case {
    const char *name, *where, *command, *mentions;
    int line;
  };
  const Case cases[] = {
      {"nothing", "pod", "true", "", __LINE__},
      {"an address is missing", "pod", "ip addr del 10.77.0.2/32 dev eth0", "address 10.77.0.2/32",
       __LINE__},
      {"a route is missing", "pod", "ip -6 route del default", "no route to ::/0", __LINE__},
      {"the interface is down", "pod", "ip link set eth0 down", "is down", __LINE__},
      {"the interface is missing", "pod", "ip link del eth0", "\\\"eth0\\\" is missing", __LINE__},
      {"the node's route is missing", "host", "ip -6 route del fd77::2", "no route to fd77::2",
       __LINE__},
      {"the gateway's MAC is forgotten", "pod", "ip neigh del 169.254.1.1 dev eth0",
       "that 169.254.1.1 is at", __LINE__},
      {"the gateway's MAC may be forgotten", "pod",
       "ip -6 neigh replace fe80::1 lladdr $(ip neigh show 169.254.1.1 | cut -d' ' -f5) nud stale "
       "dev eth0",
       "that fe80::1 is at", __LINE__},
      {"the masquerade rule is gone", "host", "nft flush ruleset", "does not masquerade", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    Driver fresh;
    const auto config = usual(fresh);
    const auto result = fresh.call(Command::add, "c1", config);
    const auto said = *c.where == 'p' ? fresh.in_pod("c1", c.command) : fresh.on_host(c.command);
    EXPECT_EQ(said, "") << "the damage was not done";
    const auto run = fresh.call(Command::check, "c1", with_previous(config, result.output));
    EXPECT_EQ(run.exit_status, *c.mentions == 0 ? 0 : 1) << run.output;
    EXPECT_TRUE(contains(run.output, c.mentions)) << run.output;
  }
}

TEST_F(cni_routed, status_and_garbage_collection_are_those_of_the_bridge) {
  EXPECT_EQ(driver.call(Command::status, "", usual(driver)).output, "");
  added("c1");
  added("c2");
  auto collect = usual(driver);
  collect.insert(1, R"("cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}],)");
  EXPECT_EQ(driver.call(Command::gc, "", collect).output, "");
  EXPECT_EQ(driver.reserved(), "10.77.0.3 fd77::3");
  EXPECT_FALSE(contains(driver.in_pod("c1", "ip -br link"), "eth0"));
  EXPECT_TRUE(contains(driver.in_pod("c2", "ip -br link"), "eth0"));
}

} // namespace
} // namespace sluice::cni
