// The built plugin in bridge mode, read back with ip(8) and nft(8).
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class cni_bridge : public testing::Test {
protected:
  void expect_code(const PluginRun &run, unsigned code, const std::string &mentions = {}) {
    EXPECT_EQ(run.exit_status, 1) << run.output;
    EXPECT_TRUE(contains(run.output, "\"code\":" + std::to_string(code) + ",")) << run.output;
    EXPECT_TRUE(contains(run.output, mentions)) << run.output;
    EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
  }
  void expect_clean() {
    EXPECT_FALSE(contains(driver.on_host("ip -br link"), "veth"));
    EXPECT_EQ(driver.reserved(), "");
  }
  std::string added(const std::string &id) {
    const auto run = driver.add(id);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    return run.output;
  }
  Driver driver;
};

TEST_F(cni_bridge, add_connects_a_dual_stack_pod) {
  const auto result = added("c1");
  const auto bridge = driver.on_host(
      "ip -j -d addr show cni0 | jq -c '.[0] | [.operstate, .linkinfo.info_kind, ([.addr_info[] | select(.scope == \"global\") | \"\\(.local)/\\(.prefixlen)\"] | sort)]'");
  EXPECT_EQ(bridge, "[\"UP\",\"bridge\",[\"10.77.0.1/24\",\"fd77::1/64\"]]\n");
  const auto pod = driver.in_pod(
      "c1",
      "ip -j addr show eth0 | jq -c '.[0] | [.operstate, ([.addr_info[] | select(.scope == \"global\") | \"\\(.local)/\\(.prefixlen)\"] | sort)]'");
  EXPECT_EQ(pod, "[\"UP\",[\"10.77.0.2/24\",\"fd77::2/64\"]]\n");
  EXPECT_FALSE(contains(driver.in_pod("c1", "ip -6 addr show scope global"), "tentative"));
  EXPECT_TRUE(contains(driver.in_pod("c1", "ip route"), "default via 10.77.0.1 dev eth0"));
  EXPECT_TRUE(contains(driver.in_pod("c1", "ip -6 route"), "default via fd77::1 dev eth0"));
  EXPECT_TRUE(contains(driver.on_host("ip -d link"), "hairpin on"));
  EXPECT_EQ(
      driver.on_host("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"),
      "1\n1\n");
  EXPECT_TRUE(contains(result, "\"sandbox\":\"" + driver.netns_of("c1") + "\"")) << result;
  EXPECT_TRUE(contains(result, "\"interface\":2")) << result;
  const auto mac = driver.in_pod(
      "c1",
      "cat /sys/class/net/eth0/address 2>/dev/null; ip -j link show eth0 | jq -r '.[0].address'");
  EXPECT_TRUE(contains(result, mac.substr(mac.size() - 18, 17))) << result;
  EXPECT_EQ(driver.call(Command::check, "c1", with_previous(driver.usual(), result)).output, "");
}

TEST_F(cni_bridge, pods_reach_the_gateway_and_each_other_at_once) {
  added("c1");
  added("c2");
  for (const auto *target : {"10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"}) {
    const auto said = driver.in_pod("c2", std::string("ping -c1 -W1 ") + target);
    EXPECT_TRUE(contains(said, " 0% packet loss")) << said;
  }
}

TEST_F(cni_bridge, old_versions_get_their_form) {
  auto config = driver.usual();
  config.replace(config.find("1.1.0"), 5, "0.2.0");
  const auto run = driver.call(Command::add, "c1", config);
  EXPECT_TRUE(contains(run.output, R"("ip4":{"ip":"10.77.0.2/24","gateway":"10.77.0.1")"))
      << run.output;
  EXPECT_TRUE(contains(run.output, R"("ip6":{"ip":"fd77::2/64")")) << run.output;
}

TEST_F(cni_bridge, the_bridge_keeps_its_index_and_mac) {
  added("c1");
  const auto before = driver.on_host("ip -j link show cni0 | jq -c '.[0] | [.ifindex, .address]'");
  added("c2");
  driver.del("c1");
  driver.del("c2");
  EXPECT_EQ(driver.on_host("ip -j link show cni0 | jq -c '.[0] | [.ifindex, .address]'"), before);
}

TEST_F(cni_bridge, who_gets_an_address_again_gets_its_mac_too) {
  const auto tight =
      driver.config(R"("isGateway":true,)", R"("type":"sluice-ipam","subnet":"10.77.0.0/30")");
  driver.call(Command::add, "c1", tight);
  const auto first = driver.in_pod("c1", "ip -j link show eth0 | jq -r '.[0].address'");
  driver.call(Command::del, "c1", tight);
  driver.call(Command::add, "c2", tight);
  EXPECT_EQ(driver.in_pod("c2", "ip -j link show eth0 | jq -r '.[0].address'"), first);
  EXPECT_EQ(first.size(), 18U) << first;
}

TEST_F(cni_bridge, without_ipam_there_is_a_link_and_no_address) {
  const std::string config =
      R"({"cniVersion":"1.1.0","name":"net","type":"sluice","bridge":"cni0"})";
  const auto run = driver.call(Command::add, "c1", config);
  EXPECT_EQ(run.exit_status, 0) << run.output;
  EXPECT_FALSE(contains(run.output, "\"ips\"")) << run.output;
  EXPECT_TRUE(contains(driver.in_pod("c1", "ip -br link"), "eth0"));
  EXPECT_EQ(driver.call(Command::del, "c1", config).output, "");
  // A form that cannot be written is a failure that leaves nothing.
  const auto old =
      driver.call(Command::add, "c2", R"({"name":"net","type":"sluice","bridge":"cni0"})");
  expect_code(old, 1);
  expect_clean();
}

TEST_F(cni_bridge, del_is_done_when_the_link_is_gone_and_may_be_repeated) {
  const auto result = added("c1");
  const auto removed = driver.call(Command::del, "c1", with_previous(driver.usual(), result));
  EXPECT_EQ(removed.exit_status, 0) << removed.output;
  EXPECT_EQ(removed.output, "");
  expect_clean();
  EXPECT_FALSE(contains(driver.in_pod("c1", "ip -br link"), "eth0"));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(driver.del("c1").exit_status, 0);
  EXPECT_EQ(added("c1").empty(), false); // the same name in the same namespace, at once
}

struct GoneCase {
  const char *name;
  void (*damage)(Driver &);
  Variables variables;
  int line;
};

const GoneCase kGone[] = {
    {"the namespace is not named", [](Driver &) {}, {{"CNI_NETNS", ""}}, __LINE__},
    {"the namespace is gone",
     [](Driver &driver) { driver.remove_pod("c1"); },
     {{"CNI_NETNS", "/run/netns/slc-gone"}},
     __LINE__},
    {"the path is no namespace any more",
     [](Driver &) {},
     {{"CNI_NETNS", "/etc/passwd"}},
     __LINE__},
    {"somebody removed the link",
     [](Driver &driver) { driver.in_pod("c1", "ip link del eth0"); },
     {},
     __LINE__},
    {"somebody removed the record",
     [](Driver &driver) { driver.on_host("rm -r " + driver.store()); },
     {},
     __LINE__},
    {"somebody removed the bridge",
     [](Driver &driver) { driver.on_host("ip link del cni0"); },
     {},
     __LINE__},
};

TEST_F(cni_bridge, del_succeeds_whatever_is_gone_already) {
  for (const auto &c : kGone) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    added("c1");
    c.damage(driver);
    const auto run = driver.call(Command::del, "c1", driver.usual(), c.variables);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    expect_clean();
    driver.remove_pod("c1");
  }
}

TEST_F(cni_bridge, del_takes_a_configuration_that_add_would_refuse) {
  added("c1");
  const auto broken =
      driver.config(R"("mtu":"big","vlan":-7,)", R"("type":"sluice-ipam","ranges":7)");
  EXPECT_EQ(driver.call(Command::del, "c1", broken, {{"CNI_ARGS", "=;x"}}).output, "");
  expect_clean();
}

struct DamageCase {
  const char *name, *where, *command, *mentions;
  int line;
};

const DamageCase kDamage[] = {
    {"an address is missing", "pod", "ip addr del 10.77.0.2/24 dev eth0", "address 10.77.0.2/24",
     __LINE__},
    {"an IPv6 address is missing", "pod", "ip addr del fd77::2/64 dev eth0", "address fd77::2/64",
     __LINE__},
    {"a route is missing", "pod", "ip route del default", "no route to 0.0.0.0/0", __LINE__},
    {"the MAC is another", "pod", "ip link set eth0 address 02:00:00:00:00:09",
     "has the MAC 02:00:00:00:00:09", __LINE__},
    {"the interface is down", "pod", "ip link set eth0 down", "is down", __LINE__},
    {"the interface is missing", "pod", "ip link del eth0", "\\\"eth0\\\" is missing", __LINE__},
    {"the host end left the bridge", "host",
     "ip link set $(ip -br link show type veth | sed 's/@.*//') nomaster", "is not on bridge",
     __LINE__},
    {"the host end lost hairpin mode", "host",
     "bridge link set dev $(ip -br link show type veth | sed 's/@.*//') hairpin off", "hairpin",
     __LINE__},
    {"the bridge lost its address", "host", "ip addr del 10.77.0.1/24 dev cni0",
     "gateway address 10.77.0.1/24", __LINE__},
    {"the bridge is missing", "host", "ip link del cni0", "bridge \\\"cni0\\\" is missing",
     __LINE__},
    {"the masquerade rule is gone", "host", "nft flush ruleset", "does not masquerade", __LINE__},
};

TEST_F(cni_bridge, check_names_what_is_damaged) {
  for (const auto &c : kDamage) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    Driver fresh;
    const auto result = fresh.add("c1");
    const auto config = with_previous(fresh.usual(), result.output);
    EXPECT_EQ(fresh.call(Command::check, "c1", config).output, "");
    const auto said = *c.where == 'p' ? fresh.in_pod("c1", c.command) : fresh.on_host(c.command);
    EXPECT_EQ(said, "") << "the damage was not done";
    expect_code(fresh.call(Command::check, "c1", config), 102, c.mentions);
  }
}

TEST_F(cni_bridge, check_needs_the_record_and_the_result_of_add) {
  const auto result = added("c1");
  expect_code(driver.call(Command::check, "c1", driver.usual()), 7, "prevResult is missing");
  driver.on_host("rm " + driver.store() + "/10.77.0.2 " + driver.store() + "/fd77::2");
  expect_code(driver.call(Command::check, "c1", with_previous(driver.usual(), result)), 102,
              "has no address");
}

struct RefusedCase {
  const char *name, *members, *ipam;
  unsigned code;
  const char *mentions;
  int line;
};

const char *const kRange = R"("type":"sluice-ipam","subnet":"10.77.0.0/24")";
const RefusedCase kRefused[] = {
    {"mtu of another type", R"("mtu":"1500",)", kRange, 7, "mtu is \\\"1500\\\"", __LINE__},
    {"hairpin and promiscuous", R"("hairpinMode":true,"promiscMode":true,)", kRange, 7,
     "hairpinMode and promiscMode", __LINE__},
    {"a VLAN out of range", R"("vlan":5000,)", kRange, 7, "vlan is 5000", __LINE__},
    {"an unknown masquerade back end", R"("ipMasqBackend":"ipchains",)", kRange, 7,
     "ipMasqBackend is \\\"ipchains\\\"", __LINE__},
    {"another mode", R"("mode":"magic",)", kRange, 2, "mode is \\\"magic\\\"", __LINE__},
    {"a bad MAC", R"("runtimeConfig":{"mac":"nonsense"},)", kRange, 7, "nonsense", __LINE__},
    {"an interface that is down has no addresses", R"("disableContainerInterface":true,)", kRange,
     7, "disableContainerInterface", __LINE__},
    {"an IPAM plugin that is nowhere", "", R"("type":"no-such-ipam")", 7, "no-such-ipam", __LINE__},
    {"no range", "", R"("type":"sluice-ipam")", 7, "nothing to give out", __LINE__},
    {"a subnet with host bits", "", R"("type":"sluice-ipam","subnet":"10.77.0.5/24")", 7,
     "10.77.0.5/24", __LINE__},
    {"a bridge name that is too long", R"("bridge":"abcdefghijklmnop",)", kRange, 7,
     "abcdefghijklmnop", __LINE__},
};

TEST_F(cni_bridge, bad_configurations_are_refused_by_name_and_leave_nothing) {
  for (const auto &c : kRefused) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    expect_code(driver.call(Command::add, "c1", driver.config(c.members, c.ipam)), c.code,
                c.mentions);
    EXPECT_EQ(driver.on_host("ip -br link | grep -v lo"), "");
    EXPECT_EQ(driver.reserved(), "");
  }
  expect_code(driver.call(Command::add, "c1", "{"), 6);
}

TEST_F(cni_bridge, bad_namespaces_are_refused) {
  expect_code(
      driver.call(Command::add, "c1", driver.usual(), {{"CNI_NETNS", "/run/netns/slc-none"}}), 3,
      "slc-none");
  expect_code(driver.call(Command::add, "c1", driver.usual(), {{"CNI_NETNS", "/etc/passwd"}}), 4,
              "/etc/passwd");
  const auto own =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(driver.host().fd());
  expect_code(driver.call(Command::add, "c1", driver.usual(), {{"CNI_NETNS", own}}), 8, own);
  expect_clean();
}

TEST_F(cni_bridge, an_interface_that_exists_is_left_alone) {
  EXPECT_EQ(driver.in_pod("c1", "ip link add eth0 type bridge"), "");
  expect_code(driver.add("c1"), 101, "eth0");
  EXPECT_TRUE(contains(driver.in_pod("c1", "ip -d link show eth0"), "bridge"));
  expect_clean();
}

TEST_F(cni_bridge, a_second_add_is_refused_and_harms_nothing) {
  const auto result = added("c1");
  expect_code(driver.add("c1"), 101);
  EXPECT_EQ(driver.call(Command::check, "c1", with_previous(driver.usual(), result)).output, "");
}

TEST_F(cni_bridge, a_full_pool_is_try_again_with_a_clear_message) {
  const auto tight =
      driver.config(R"("isGateway":true,)", R"("type":"sluice-ipam","subnet":"10.77.0.0/30")");
  EXPECT_EQ(driver.call(Command::status, "", tight).output, "");
  EXPECT_EQ(driver.call(Command::add, "c1", tight).exit_status, 0);
  expect_code(driver.call(Command::add, "c2", tight), 11,
              "no IP addresses available in range set: 10.77.0.1-10.77.0.2");
  expect_code(driver.call(Command::status, "", tight), 50, "no IP addresses available");
  EXPECT_FALSE(contains(driver.in_pod("c2", "ip -br link"), "eth0"));
  driver.call(Command::del, "c1", tight);
  EXPECT_EQ(driver.call(Command::add, "c2", tight).exit_status, 0);
}

TEST_F(cni_bridge, a_link_of_that_name_that_is_no_bridge_is_left_alone) {
  EXPECT_EQ(driver.on_host("ip link add cni0 type ifb"), "");
  expect_code(driver.add("c1"), 7, "is no bridge");
  expect_clean();
}

TEST_F(cni_bridge, another_address_on_the_bridge_gives_way_only_if_forced) {
  driver.on_host(
      "ip link add cni0 type bridge && ip addr add 10.9.0.1/16 dev cni0 && ip addr add fd09::1/64 dev cni0");
  expect_code(driver.add("c1"), 7, "10.9.0.1/16");
  EXPECT_TRUE(contains(driver.on_host("ip addr show cni0"), "10.9.0.1/16"));
  expect_clean();
  auto forced = driver.usual();
  forced.insert(1, R"("forceAddress":true,)");
  EXPECT_EQ(driver.call(Command::add, "c1", forced).exit_status, 0);
  const auto addresses = driver.on_host("ip addr show cni0");
  EXPECT_FALSE(contains(addresses, "10.9.0.1")) << addresses;
  EXPECT_TRUE(contains(addresses, "fd09::1"))
      << "another IPv6 network stands beside: " << addresses;
}

TEST_F(cni_bridge, masquerade_is_one_rule_a_network_and_is_repaired) {
  added("c1");
  added("c2");
  const auto rule =
      "ip saddr 10.77.0.0/24 ip daddr != 10.77.0.0/24 ip daddr != 224.0.0.0/4 masquerade";
  const auto count = std::string("nft list table inet sluice-cni | grep -c '") + rule + "'";
  EXPECT_EQ(driver.on_host(count), "1\n");
  driver.on_host("nft flush chain inet sluice-cni masq-10.77.0.0/24");
  EXPECT_EQ(driver.on_host(count), "0\n");
  added("c3");
  EXPECT_EQ(driver.on_host(count), "1\n");
}

TEST_F(cni_bridge, garbage_collection_takes_what_is_not_listed_of_its_own_network) {
  added("c1");
  added("c2");
  auto other = driver.usual();
  other.replace(other.find("\"net\""), 5, "\"other\"");
  other.replace(other.find("10.77.0.0"), 9, "10.78.0.0");
  other.replace(other.find("fd77::"), 6, "fd78::");
  other.replace(other.find("cni0"), 4, "cni1");
  EXPECT_EQ(driver.call(Command::add, "c3", other).exit_status, 0);
  auto collect = driver.usual();
  collect.insert(1, R"("cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}],)");
  EXPECT_EQ(driver.call(Command::gc, "", collect).output, "");
  EXPECT_EQ(driver.reserved(), "10.77.0.3 fd77::3");
  EXPECT_FALSE(contains(driver.in_pod("c1", "ip -br link"), "eth0"));
  EXPECT_TRUE(contains(driver.in_pod("c2", "ip -br link"), "eth0"));
  EXPECT_TRUE(contains(driver.in_pod("c3", "ip -br link"), "eth0"));
}

} // namespace
} // namespace sluice::cni
