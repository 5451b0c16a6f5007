// VLANs of the drop-in `bridge`: the pods' ports, the gateway's, and what passes between them.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// Whether this kernel can make a bridge that filters VLANs.
bool has_vlan_filtering(const Driver &driver) {
  const auto said = driver.on_host("ip link add probe type bridge vlan_filtering 1");
  driver.on_host("ip link del probe");
  return said.empty();
}

class cni_vlan : public testing::Test {
protected:
  void SetUp() override {
    if (needs_filtering && !has_vlan_filtering(driver))
      GTEST_SKIP() << "this kernel's bridges do not filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING)";
  }
  std::string with(const std::string &members) const {
    return driver.config(members, R"("type":"sluice-ipam","subnet":"10.77.0.0/24")");
  }
  PluginRun call(Command command, const std::string &id, const std::string &config) {
    return driver.call(command, id, config, {}, driver.program("bridge"));
  }
  std::string added(const std::string &id, const std::string &config) {
    const auto run = call(Command::add, id, config);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    return run.output;
  }
  std::string in_result(const std::string &result, const std::string &query) const {
    auto text = driver.on_host("printf '%s' '" + result + "' | jq -r '" + query + "'");
    while (!text.empty() && text.back() == '\n')
      text.pop_back();
    return text;
  }
  std::string host_link(const std::string &result) const {
    return in_result(result, ".interfaces[1].name");
  }
  /// "1 Egress Untagged, 100 PVID Egress Untagged"
  std::string vlans_of(const std::string &port) const {
    return driver.on_host("bridge -j vlan show dev " + port +
                          " | jq -j '[.[].vlans[] | [.vlan] + (.flags // []) | join(\" \")] "
                          "| join(\", \")'");
  }
  bool pings(const std::string &id, const std::string &target) {
    return contains(driver.in_pod(id, "ping -c1 -W1 " + target), " 0% packet loss");
  }

  bool needs_filtering = true;
  Driver driver;
};

class cni_vlan_without_support : public cni_vlan {
protected:
  cni_vlan_without_support() { needs_filtering = false; }
};

TEST_F(cni_vlan_without_support, is_refused_and_leaves_nothing) {
  if (has_vlan_filtering(driver))
    GTEST_SKIP() << "this kernel's bridges filter VLANs";
  for (const auto *key : {R"("vlan":100,)", R"("vlanTrunk":[{"id":100}],)"}) {
    for (const bool existing : {false, true}) {
      if (existing)
        driver.on_host("ip link add cni0 type bridge");
      const auto before = driver.on_host("ip -o link");
      const auto run = call(Command::add, "c1", with(key));
      EXPECT_TRUE(contains(run.output, "\"code\":2,")) << run.output;
      EXPECT_TRUE(contains(run.output, "CONFIG_BRIDGE_VLAN_FILTERING")) << run.output;
      EXPECT_EQ(driver.on_host("ip -o link"), before);
      EXPECT_EQ(driver.reserved(), "");
    }
    driver.on_host("ip link del cni0");
  }
}

struct PortCase {
  const char *name, *members, *vlans;
  int line;
};

const PortCase kPorts[] = {
    {"an access port is in its VLAN only", R"("vlan":100,)", "100 PVID Egress Untagged", __LINE__},
    {"a VLAN that is the default one stays", R"("vlan":1,)", "1 PVID Egress Untagged", __LINE__},
    {"preserveDefaultVlan keeps the default VLAN", R"("vlan":100,"preserveDefaultVlan":true,)",
     "1 Egress Untagged, 100 PVID Egress Untagged", __LINE__},
    {"a trunk's native VLAN is 1", R"("vlanTrunk":[{"id":42},{"minID":50,"maxID":51}],)",
     "1 PVID Egress Untagged, 42, 50, 51", __LINE__},
    {"a trunk with a native VLAN", R"("vlan":7,"vlanTrunk":[{"id":7},{"id":9}],)",
     "7 PVID Egress Untagged, 9", __LINE__},
    {"preserveDefaultVlan on a trunk",
     R"("vlan":7,"vlanTrunk":[{"id":9}],"preserveDefaultVlan":true,)",
     "1 Egress Untagged, 7 PVID Egress Untagged, 9", __LINE__},
};

TEST_F(cni_vlan, a_port_is_in_the_vlans_of_its_configuration_and_check_knows_them) {
  for (const auto &c : kPorts) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config = with(c.members);
    const auto result = added("c1", config);
    EXPECT_EQ(vlans_of(host_link(result)), c.vlans);
    EXPECT_EQ(call(Command::check, "c1", with_previous(config, result)).output, "");
    EXPECT_EQ(call(Command::del, "c1", config).output, "");
  }
}

struct DamageCase {
  const char *name, *command, *said;
  int line;
};

const DamageCase kDamage[] = {
    {"the native VLAN was taken away", "bridge vlan del dev $PORT vid 7", "is not in VLAN 7",
     __LINE__},
    {"the native VLAN is tagged", "bridge vlan add dev $PORT vid 7", "VLAN 7 is not its native one",
     __LINE__},
    {"a VLAN of the trunk was taken away", "bridge vlan del dev $PORT vid 9", "is not in VLAN 9",
     __LINE__},
    {"the bridge does not filter any more", "ip link set cni0 type bridge vlan_filtering 0",
     "does not filter VLANs", __LINE__},
};

TEST_F(cni_vlan, check_misses_a_membership) {
  const auto config = with(R"("vlan":7,"vlanTrunk":[{"minID":8,"maxID":10}],)");
  for (const auto &c : kDamage) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto result = added("c1", config);
    EXPECT_EQ(driver.on_host("PORT=" + host_link(result) + "; " + c.command), "");
    const auto said = call(Command::check, "c1", with_previous(config, result)).output;
    EXPECT_TRUE(contains(said, "\"code\":102")) << said;
    EXPECT_TRUE(contains(said, c.said)) << said;
    EXPECT_EQ(call(Command::del, "c1", config).output, "");
    driver.on_host("ip link del cni0");
  }
}

TEST_F(cni_vlan, pods_of_one_vlan_share_its_gateway) {
  const auto config = with(R"("isGateway":true,"vlan":100,)");
  const auto result = added("c1", config);
  EXPECT_EQ(in_result(result, "[.interfaces[].name] | \"\\(length) \\(.[3])\""), "4 cni0.100");
  EXPECT_EQ(driver.on_host("ip -j addr show cni0.100 | jq -j '.[0].addr_info[0].local'"),
            "10.77.0.1");
  const auto links = driver.on_host("ip -o link | wc -l");
  const auto second = added("c2", config);
  EXPECT_EQ(std::stoi(driver.on_host("ip -o link | wc -l")), std::stoi(links) + 1)
      << "the second pod brings its own host link and nothing else";
  EXPECT_TRUE(pings("c1", "10.77.0.1"));
  EXPECT_TRUE(pings("c1", "10.77.0.3"));
  EXPECT_EQ(call(Command::check, "c1", with_previous(config, result)).output, "");
  EXPECT_EQ(call(Command::check, "c2", with_previous(config, second)).output, "");
}

TEST_F(cni_vlan, check_misses_the_gateway_of_the_vlan) {
  const auto config = with(R"("isGateway":true,"vlan":100,)");
  const auto result = added("c1", config);
  driver.on_host("ip addr flush dev cni0.100");
  const auto said = call(Command::check, "c1", with_previous(config, result)).output;
  EXPECT_TRUE(contains(said, "10.77.0.1")) << said;
}

TEST_F(cni_vlan, pods_of_two_vlans_of_one_bridge_do_not_see_each_other) {
  added("c1", with(R"("vlan":100,)"));
  added("c2", with(R"("vlan":200,)"));
  added("c3", with(R"("vlan":100,)"));
  EXPECT_FALSE(pings("c1", "10.77.0.3"));
  EXPECT_TRUE(pings("c1", "10.77.0.4"));
}

TEST_F(cni_vlan, a_trunk_carries_the_tags_of_its_vlans_only) {
  const auto config = with(R"("vlanTrunk":[{"id":42}],)");
  for (const auto *id : {"c1", "c2"}) {
    added(id, config);
    for (const auto *vlan : {"42", "43"})
      driver.in_pod(id, std::string("ip link add link eth0 name v") + vlan + " type vlan id " +
                            vlan + "; ip link set v" + vlan + " up; ip addr add 192.0.2." +
                            (id[1] == '1' ? "1" : "2") + (vlan[1] == '2' ? "1" : "2") +
                            "/24 dev v" + vlan);
  }
  EXPECT_TRUE(pings("c1", "10.77.0.3")) << "frames without a tag";
  EXPECT_TRUE(pings("c1", "-I v42 192.0.2.21"));
  EXPECT_FALSE(pings("c1", "-I v43 192.0.2.22"));
}

TEST_F(cni_vlan, a_bridge_that_does_not_filter_is_refused) {
  driver.on_host("ip link add cni0 type bridge");
  const auto run = call(Command::add, "c1", with(R"("vlan":100,)"));
  EXPECT_TRUE(contains(run.output, "\"code\":7,")) << run.output;
  EXPECT_TRUE(contains(run.output, "vlan_filtering 1")) << run.output;
  EXPECT_EQ(driver.reserved(), "");
}

} // namespace
} // namespace sluice::cni
