// The keys of `bridge` that one uses rarely, under its own name, and its rules beside Debian's
// plugin.
#include "cni/tests/driver.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <regex>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

constexpr const char *kRange = R"("type":"sluice-ipam","subnet":"10.77.0.0/24")";
constexpr const char *kDebian = "/usr/lib/cni/bridge";
const std::string kListSpoofRules = "nft list table bridge nat";

class cni_bridge_keys : public testing::Test {
protected:
  void SetUp() override {
    std::filesystem::create_symlink(std::string(SLUICE_BIN_DIR) + "/sluice", program);
  }
  std::string with(const std::string &members, const std::string &ipam = kRange) const {
    return driver.config(R"("isGateway":true,)" + members, ipam);
  }
  PluginRun call(Command command, const std::string &id, const std::string &config) {
    return driver.call(command, id, config, {}, program);
  }
  std::string added(const std::string &id, const std::string &config) {
    const auto run = call(Command::add, id, config);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    return run.output;
  }
  void removed(const std::string &id, const std::string &config) {
    EXPECT_EQ(call(Command::del, id, config).output, "");
  }
  bool pings(const std::string &id, const std::string &target) {
    return contains(driver.in_pod(id, "ping -c1 -W1 " + target), " 0% packet loss");
  }
  std::string rules() { return driver.on_host(kListSpoofRules); }

  Driver driver;
  std::string program = driver.folder().path() + "/bridge";
};

TEST_F(cni_bridge_keys, a_pod_with_macspoofchk_sends_with_its_own_mac_only) {
  const auto config = with(R"("macspoofchk":true,)");
  const auto result = added("c1", config);
  EXPECT_TRUE(pings("c1", "10.77.0.1"));
  EXPECT_EQ(call(Command::check, "c1", with_previous(config, result)).output, "");
  const auto mac = driver.in_pod("c1", "ip -j link show eth0 | jq -j '.[0].address'");
  driver.in_pod("c1", "ip link set eth0 address 02:00:00:00:00:99");
  EXPECT_FALSE(pings("c1", "10.77.0.1"));
  driver.in_pod("c1", "ip link set eth0 address " + mac);
  EXPECT_TRUE(pings("c1", "10.77.0.1"));
  removed("c1", config);
  EXPECT_FALSE(contains(rules(), "cni-br-iface")) << rules();
  removed("c1", config);
}

TEST_F(cni_bridge_keys, check_misses_the_spoof_rules) {
  const auto config = with(R"("macspoofchk":true,)");
  const auto result = added("c1", config);
  driver.on_host("nft flush chain bridge nat cni-br-iface-c1-eth0-mac");
  const auto said = call(Command::check, "c1", with_previous(config, result)).output;
  EXPECT_TRUE(contains(said, "\"code\":102")) << said;
  EXPECT_TRUE(contains(said, "source MAC")) << said;
  driver.on_host("nft delete table bridge nat");
  EXPECT_TRUE(contains(call(Command::check, "c1", with_previous(config, result)).output, "102"));
  removed("c1", config);
}

TEST_F(cni_bridge_keys, spoof_rules_go_with_the_attachment_whatever_is_gone) {
  const auto config = with(R"("macspoofchk":true,)");
  for (const auto *id : {"c1", "c1-eth0", "c2"})
    added(id, config);
  driver.remove_pod("c1");
  removed("c1", config);
  EXPECT_FALSE(contains(rules(), "macspoofchk-c1-eth0\"")) << rules();
  EXPECT_TRUE(contains(rules(), "macspoofchk-c1-eth0-eth0\"")) << rules();
  driver.remove_pod("c1-eth0"); // and nobody calls DEL
  auto collect = config;
  collect.insert(1, R"("cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}],)");
  EXPECT_EQ(call(Command::gc, "", collect).output, "");
  EXPECT_FALSE(contains(rules(), "macspoofchk-c1-")) << rules();
  EXPECT_TRUE(contains(rules(), "macspoofchk-c2-eth0")) << rules();
}

TEST_F(cni_bridge_keys, spoof_rules_are_the_reference_plugins) {
  auto config = with(R"("macspoofchk":true,)", R"("type":"host-local","subnet":"10.77.0.0/24")");
  config.replace(config.find("1.1.0"), 5, "1.0.0"); // Debian's knows no newer one
  const auto general = [](std::string text) {
    text = std::regex_replace(text, std::regex("veth[0-9a-f]+"), "VETH");
    return std::regex_replace(text, std::regex("saddr [0-9a-f:]+"), "saddr MAC");
  };
  ASSERT_EQ(driver.call(Command::add, "c1", config, {}, kDebian).exit_status, 0);
  const auto theirs = general(rules());
  removed("c1", config); // ours takes away what theirs made
  EXPECT_FALSE(contains(rules(), "cni-br-iface")) << rules();
  driver.on_host("nft delete table bridge nat");
  added("c1", config);
  EXPECT_EQ(general(rules()), theirs);
  EXPECT_EQ(driver.call(Command::del, "c1", config, {}, kDebian).output, "");
  EXPECT_FALSE(contains(rules(), "cni-br-iface")) << "theirs takes away ours: " << rules();
}

TEST_F(cni_bridge_keys, gc_finds_what_debians_plugins_made_by_the_records_of_the_network) {
  if (::access(kDebian, X_OK) != 0)
    GTEST_SKIP() << kDebian << " is not installed (Debian package containernetworking-plugins)";
  const std::string limits = R"("egressRate":8000000,"egressBurst":800000)";
  auto config = with(R"("macspoofchk":true,)", R"("type":"host-local","subnet":"10.77.0.0/24")");
  config.replace(config.find("1.1.0"), 5, "1.0.0");
  for (const auto *id : {"c1", "c2"}) {
    const auto run = driver.call(Command::add, id, config, {{"CNI_PATH", "/usr/lib/cni"}}, kDebian);
    ASSERT_EQ(run.exit_status, 0) << run.output;
    const auto shaped = driver.call(
        Command::add, id,
        with_previous(R"({"cniVersion":"1.0.0","name":"net","type":"bandwidth",)" + limits + "}",
                      run.output),
        {}, "/usr/lib/cni/bandwidth");
    ASSERT_EQ(shaped.exit_status, 0) << shaped.output;
  }
  // Another network's, although nobody there is valid either.
  driver.on_host("ip link add bwpfedcba987654 type ifb");
  auto collect = config;
  collect.replace(collect.find("1.0.0"), 5, "1.1.0");
  collect.insert(1, R"("cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}],)");
  driver.program("host-local");
  const auto run = driver.call(Command::gc, "", collect,
                               {{"CNI_PATH", driver.folder().path() + "/bin"}}, program);
  EXPECT_EQ(run.output, "");
  EXPECT_FALSE(contains(rules(), "c1-eth0")) << rules();
  EXPECT_TRUE(contains(rules(), "c2-eth0")) << rules();
  const auto devices = driver.on_host("ip -j link show type ifb | jq -r '.[].ifname'");
  EXPECT_EQ(std::count(devices.begin(), devices.end(), '\n'), 2) << devices;
  EXPECT_TRUE(contains(devices, "bwpfedcba987654")) << devices;
  EXPECT_EQ(driver.reserved(), "10.77.0.3");
}

TEST_F(cni_bridge_keys, isolated_pods_reach_the_gateway_and_not_each_other) {
  const auto isolated = with(R"("portIsolation":true,)");
  const auto checked = with_previous(isolated, added("c1", isolated));
  added("c2", isolated);
  added("c3", with(""));
  EXPECT_TRUE(pings("c1", "10.77.0.1"));
  EXPECT_FALSE(pings("c1", "10.77.0.3"));
  EXPECT_TRUE(pings("c1", "10.77.0.4")) << "a pod that is not isolated";
  EXPECT_EQ(call(Command::check, "c1", checked).output, "");
  driver.on_host("for port in $(ls /sys/class/net/cni0/brif 2>/dev/null || ip -j link show master "
                 "cni0 | jq -r '.[].ifname'); do ip link set $port type bridge_slave isolated off; "
                 "done");
  const auto said = call(Command::check, "c1", checked).output;
  EXPECT_TRUE(contains(said, "is not isolated")) << said;
}

TEST_F(cni_bridge_keys, a_disabled_container_interface_stays_down) {
  const std::string config =
      R"({"cniVersion":"1.1.0","name":"net","type":"bridge","disableContainerInterface":true})";
  added("c1", config);
  const auto state = driver.in_pod("c1", "ip -j link show eth0 | jq -c '.[0].flags'");
  EXPECT_FALSE(contains(state, "\"UP\"")) << state;
  removed("c1", config);
}

TEST_F(cni_bridge_keys, duplicate_address_detection_is_as_asked_for) {
  const std::string range = R"("type":"sluice-ipam","subnet":"fd77::/64")";
  added("c1", with(R"("enabledad":true,)", range));
  added("c2", with("", range));
  const std::string accept = "cat /proc/sys/net/ipv6/conf/eth0/accept_dad";
  EXPECT_EQ(driver.in_pod("c1", accept), "1\n");
  EXPECT_EQ(driver.in_pod("c2", accept), "0\n");
  // The link-local address is looked at later, from a work queue.
  EXPECT_FALSE(contains(driver.in_pod("c2", "ip -6 addr show scope global"), "tentative"));
}

TEST_F(cni_bridge_keys, check_notices_when_the_bridge_is_no_longer_promiscuous) {
  const auto config = with(R"("promiscMode":true,)");
  const auto result = added("c1", config);
  EXPECT_EQ(call(Command::check, "c1", with_previous(config, result)).output, "");
  driver.on_host("ip link set cni0 promisc off");
  EXPECT_TRUE(contains(call(Command::check, "c1", with_previous(config, result)).output,
                       "is not promiscuous"));
}

} // namespace
} // namespace sluice::cni
