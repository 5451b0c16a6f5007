// The program under the name `ptp`, read back with ip(8).
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

const char *const kDual =
    R"("type":"sluice-ipam","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]],)"
    R"("routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"},{"dst":"192.0.2.0/24","gw":"10.77.0.1"}])";

class cni_ptp : public testing::Test {
protected:
  PluginRun call(Command command, const std::string &id, const std::string &config,
                 const Variables &variables = {}) {
    return driver.call(command, id, config, variables, driver.program("ptp"));
  }
  std::string usual() const { return driver.config(R"("ipMasq":true,)", kDual); }
  std::string added(const std::string &id) {
    const auto run = call(Command::add, id, usual());
    EXPECT_EQ(run.exit_status, 0) << run.output;
    return run.output;
  }
  void expect_clean() {
    EXPECT_FALSE(contains(driver.on_host("ip -br link"), "veth"));
    EXPECT_EQ(driver.reserved(), "");
  }
  void expect_ping(const std::string &said) {
    EXPECT_TRUE(contains(said, " 0% packet loss")) << said;
  }
  /// Names of links differ; spaces at the end of lines are ip(8)'s matter.
  static std::string routes(const char *family) {
    return std::string("ip ") + family +
           " route | grep -v fe80 | sed -E 's/veth[0-9a-f]+/VETH/; s/ +$//; s/ proto (83|84)//; s/ metric 1024//; s/ pref medium//' | sort";
  }
  Driver driver;
};

TEST_F(cni_ptp, the_routing_tables_are_exactly_those_of_the_reference) {
  added("c1");
  EXPECT_EQ(driver.in_pod("c1", routes("-4")), "10.77.0.0/24 via 10.77.0.1 dev eth0 src 10.77.0.2\n"
                                               "10.77.0.1 dev eth0 scope link src 10.77.0.2\n"
                                               "192.0.2.0/24 via 10.77.0.1 dev eth0\n"
                                               "default via 10.77.0.1 dev eth0\n");
  EXPECT_EQ(driver.in_pod("c1", routes("-6")), "default via fd77::1 dev eth0\n"
                                               "fd77::/64 via fd77::1 dev eth0 src fd77::2\n"
                                               "fd77::1 dev eth0 src fd77::2\n");
  EXPECT_EQ(driver.on_host(routes("-4")), "10.77.0.2 dev VETH scope host\n");
  EXPECT_EQ(driver.on_host(routes("-6")), "fd77::2 dev VETH\n");
  const auto host = driver.on_host("ip addr show type veth");
  EXPECT_TRUE(contains(host, "inet 10.77.0.1/32 ")) << host;
  EXPECT_TRUE(contains(host, "inet6 fd77::1/128 ")) << host;
  const auto pod = driver.in_pod("c1", "ip addr show eth0");
  EXPECT_TRUE(contains(pod, "inet 10.77.0.2/24 ")) << pod;
  EXPECT_TRUE(contains(pod, "inet6 fd77::2/64 ")) << pod;
}

TEST_F(cni_ptp, the_first_packet_arrives_at_once_everywhere) {
  added("c1");
  expect_ping(driver.in_pod("c1", "ping -c1 -W1 10.77.0.1"));
  expect_ping(driver.in_pod("c1", "ping -c1 -W1 fd77::1"));
  added("c2");
  expect_ping(driver.in_pod("c2", "ping -c1 -W1 10.77.0.2"));
  expect_ping(driver.in_pod("c2", "ping -c1 -W1 fd77::2"));
  expect_ping(driver.on_host("ping -c1 -W1 10.77.0.3"));
  expect_ping(driver.on_host("ping -c1 -W1 fd77::3"));
  EXPECT_FALSE(contains(driver.in_pod("c2", "ip addr show eth0 scope global"), "tentative"));
  EXPECT_FALSE(contains(driver.on_host("ip addr show scope global"), "tentative"));
}

TEST_F(cni_ptp, every_version_gets_its_form) {
  struct Case {
    const char *version, *mentions;
    int line;
  };
  const Case cases[] = {
      {"0.1.0", R"("ip4":{"ip":"10.77.0.2/24","gateway":"10.77.0.1")", __LINE__},
      {"0.2.0", R"("ip6":{"ip":)", __LINE__},
      {"0.3.1", R"("version":"4")", __LINE__},
      {"0.4.0", R"("interface":1)", __LINE__},
      {"1.0.0", R"("interface":1)", __LINE__},
      {"1.1.0", R"("interface":1)", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.version) + " (line " + std::to_string(c.line) + ")");
    Driver fresh;
    auto config = fresh.config("", kDual);
    config.replace(config.find("1.1.0"), 5, c.version);
    const auto run = fresh.call(Command::add, "c1", config, {}, fresh.program("ptp"));
    EXPECT_EQ(run.exit_status, 0) << run.output;
    EXPECT_TRUE(contains(run.output, c.mentions)) << run.output;
    EXPECT_EQ(fresh.call(Command::del, "c1", config, {}, fresh.program("ptp")).output, "");
    EXPECT_EQ(fresh.reserved(), "");
  }
}

TEST_F(cni_ptp, the_result_names_both_ends_and_the_kernel_agrees) {
  const auto result = parse_result(added("c1"), kLatestVersion).value();
  ASSERT_EQ(result.interfaces.size(), 2U);
  EXPECT_TRUE(result.interfaces[0].name.starts_with("veth"));
  EXPECT_EQ(result.interfaces[0].sandbox, "");
  EXPECT_EQ(result.interfaces[1].name, "eth0");
  EXPECT_EQ(result.interfaces[1].sandbox, driver.netns_of("c1"));
  EXPECT_EQ(driver.in_pod("c1", "ip -j link show eth0 | jq -r '.[0].address'"),
            result.interfaces[1].mac + "\n");
  EXPECT_EQ(
      driver.on_host("ip -j link show " + result.interfaces[0].name + " | jq -r '.[0].address'"),
      result.interfaces[0].mac + "\n");
}

TEST_F(cni_ptp, dns_of_the_configuration_wins_if_it_has_a_field_be_it_empty) {
  struct Case {
    const char *name, *members, *server;
    int line;
  };
  const std::string resolv = driver.folder().path() + "/resolv.conf";
  driver.on_host("echo 'nameserver 192.0.2.53' > " + resolv);
  const Case cases[] = {
      {"no dns", "", "192.0.2.53", __LINE__},
      {"an empty dns", R"("dns":{},)", "192.0.2.53", __LINE__},
      {"a server", R"("dns":{"nameservers":["192.0.2.9"]},)", "192.0.2.9", __LINE__},
      {"an empty list", R"("dns":{"search":[]},)", nullptr, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config =
        driver.config(c.members, R"("type":"sluice-ipam","subnet":"10.77.0.0/24","resolvConf":")" +
                                     resolv + "\"");
    const auto run = call(Command::add, "c1", config);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    for (const auto *server : {"192.0.2.9", "192.0.2.53"})
      EXPECT_EQ(contains(run.output, server), c.server && std::string(c.server) == server)
          << run.output;
    call(Command::del, "c1", config);
  }
}

TEST_F(cni_ptp, del_removes_everything_with_or_without_the_namespace) {
  EXPECT_EQ(call(Command::del, "c1", usual()).output, "") << "nothing was added";
  for (const auto *netns : {"/run/netns/slc-gone", "", "/etc/passwd"}) {
    SCOPED_TRACE(netns);
    added("c1");
    EXPECT_EQ(call(Command::del, "c1", usual(), {{"CNI_NETNS", netns}}).output, "");
    expect_clean();
    EXPECT_EQ(call(Command::del, "c1", usual(), {{"CNI_NETNS", netns}}).output, "");
  }
  EXPECT_EQ(driver.on_host("ip -4 route; ip -6 route | grep -v fe80"), "");
}

TEST_F(cni_ptp, masquerade_is_one_rule_a_network) {
  added("c1");
  added("c2");
  EXPECT_EQ(driver.on_host("nft list table inet sluice-cni | grep -c masquerade"), "2\n");
}

TEST_F(cni_ptp, check_names_what_is_damaged) {
  struct Case {
    const char *name, *where, *command, *mentions;
    int line;
  };
  const std::string veth = "$(ip -br link show type veth | sed 's/@.*//')";
  const std::string no_gateway = "ip addr del 10.77.0.1/32 dev " + veth;
  const Case cases[] = {
      {"nothing", "pod", "true", "", __LINE__},
      {"an address is missing", "pod", "ip addr del 10.77.0.2/24 dev eth0", "address 10.77.0.2/24",
       __LINE__},
      {"a route is missing", "pod", "ip -6 route del default", "no route to ::/0", __LINE__},
      {"the interface is missing", "pod", "ip link del eth0", "\\\"eth0\\\" is missing", __LINE__},
      {"the node's route is missing", "host", "ip route del 10.77.0.2", "no route to 10.77.0.2",
       __LINE__},
      {"the gateway is missing", "host", no_gateway.c_str(), "gateway address 10.77.0.1", __LINE__},
      {"the masquerade rule is gone", "host", "nft flush ruleset", "does not masquerade", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    Driver fresh;
    const auto config = fresh.config(R"("ipMasq":true,)", kDual);
    const auto result = fresh.call(Command::add, "c1", config, {}, fresh.program("ptp"));
    const auto said = *c.where == 'p' ? fresh.in_pod("c1", c.command) : fresh.on_host(c.command);
    EXPECT_EQ(said, "") << "the damage was not done";
    const auto run = fresh.call(Command::check, "c1", with_previous(config, result.output), {},
                                fresh.program("ptp"));
    EXPECT_EQ(run.exit_status, *c.mentions == 0 ? 0 : 1) << run.output;
    EXPECT_TRUE(contains(run.output, c.mentions)) << run.output;
  }
}

TEST_F(cni_ptp, an_address_without_gateway_is_refused_and_nothing_is_left) {
  auto config = driver.config("", R"("type":"static","addresses":[{"address":"10.77.0.9/24"}])");
  config.replace(config.find("1.1.0"), 5, "1.0.0"); // what Debian's plugins speak
  const auto run = call(Command::add, "c1", config);
  EXPECT_TRUE(contains(run.output, "\"code\":7,")) << run.output;
  EXPECT_TRUE(contains(run.output, "10.77.0.9/24 without a gateway")) << run.output;
  expect_clean();
  EXPECT_TRUE(contains(call(Command::add, "c1", R"({"cniVersion":"1.0.0","name":"net"})").output,
                       "ipam.type is missing"));
}

TEST_F(cni_ptp, status_and_garbage_collection_are_those_of_the_bridge) {
  EXPECT_EQ(call(Command::status, "", usual()).output, "");
  added("c1");
  added("c2");
  auto collect = usual();
  collect.insert(1, R"("cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}],)");
  EXPECT_EQ(call(Command::gc, "", collect).output, "");
  EXPECT_EQ(driver.reserved(), "10.77.0.3 fd77::3");
  EXPECT_FALSE(contains(driver.in_pod("c1", "ip -br link"), "eth0"));
  EXPECT_TRUE(contains(driver.in_pod("c2", "ip -br link"), "eth0"));
}

} // namespace
} // namespace sluice::cni
