// Cases T105 to T124 and T220 to T280: single keys, in every version, through the built program.
#include "integration/cni/cases.hpp"

#include <gtest/gtest.h>

namespace sluice::integration {
namespace {

constexpr const char *kIpam = R"("type":"host-local","subnet":"10.77.0.0/24")";

class cni_key_cases : public testing::Test {
protected:
  Runtime runtime;
};

struct BridgeKey {
  const char *name, *members;
  const char *look; ///< on the host; in the pod if it begins with "pod: "
  const char *seen;
  int line;
};

const BridgeKey kBridgeKeys[] = {
    {"T112 promiscMode", R"("promiscMode":true,)", "ip -d link show cni0", "PROMISC", __LINE__},
    {"hairpinMode", R"("hairpinMode":true,)", "ip -d link show type veth", "hairpin on", __LINE__},
    {"T123 portIsolation", R"("portIsolation":true,)", "ip -d link show type veth", "isolated on",
     __LINE__},
    {"T123 no portIsolation", R"("portIsolation":false,)", "ip -d link show type veth",
     "isolated off", __LINE__},
    {"T121 macspoofchk", R"("macspoofchk":true,)", "nft list table bridge nat",
     "macspoofchk-c1-eth0", __LINE__},
    {"T124 enabledad", R"("enabledad":true,)", "pod: cat /proc/sys/net/ipv6/conf/eth0/accept_dad",
     "1", __LINE__},
    {"T115 forceAddress", R"("isGateway":true,"forceAddress":true,)", "ip -br addr show cni0",
     "10.77.0.1/24", __LINE__},
    {"T117 ipMasq", R"("ipMasq":true,)", "nft list table inet sluice-cni", "10.77.0.0/24",
     __LINE__},
    {"T117 ipMasq by nftables", R"("ipMasq":true,"ipMasqBackend":"nftables",)",
     "nft list table inet sluice-cni", "10.77.0.0/24", __LINE__},
    {"T117 ipMasq by iptables", R"("ipMasq":true,"ipMasqBackend":"iptables",)",
     "iptables-save -t nat", "10.77.0.2/32 -m comment", __LINE__},
    {"T139 mtu", R"("mtu":1400,)", "pod: ip link show eth0", "mtu 1400", __LINE__},
    {"T108 vlan 0", R"("vlan":0,)", "ip -br link show cni0", "UP", __LINE__},
};

TEST_F(cni_key_cases, T108_T112_T115_T117_T121_T123_T124_T139_bridge_keys_do_what_they_say) {
  for (const auto &c : kBridgeKeys)
    for (const auto &version : kVersions) {
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version);
      const auto *addresses =
          has(c.name, "enabledad") ? R"("type":"host-local","subnet":"fd77::/64")" : kIpam;
      const auto config = at(version, runtime.config(c.members, addresses));
      const auto result = runtime.added("bridge", "c1", config);
      const std::string look = c.look;
      const auto text =
          has(look, "pod: ") ? runtime.in_pod("c1", look.substr(5)) : runtime.on_host(look);
      EXPECT_TRUE(has(text, c.seen)) << text;
      if (has_check(version)) {
        EXPECT_EQ(runtime.named("bridge", Command::check, "c1", cni::with_previous(config, result))
                      .output,
                  "");
      }
      runtime.removed("bridge", "c1", config);
      runtime.removed("bridge", "c1", config);
      EXPECT_FALSE(has(runtime.on_host("nft list ruleset; iptables-save -t nat"), "c1"));
      runtime.on_host("ip link del cni0");
      std::filesystem::remove_all(runtime.store());
    }
}

struct RefusedKey {
  const char *name, *members;
  unsigned code;
  const char *mentions;
  int line;
};

const RefusedKey kRefusedBridge[] = {
    {"T111 hairpin and promiscuous", R"("hairpinMode":true,"promiscMode":true,)", 7, "promiscMode",
     __LINE__},
    {"T108 a vlan below 0", R"("vlan":-100,)", 7, "vlan", __LINE__},
    {"T108 a vlan too great", R"("vlan":5000,)", 7, "vlan", __LINE__},
    {"T107 a range without end", R"("vlanTrunk":[{"minID":5}],)", 7, "vlanTrunk", __LINE__},
    {"T107 a range without begin", R"("vlanTrunk":[{"maxID":5}],)", 7, "vlanTrunk", __LINE__},
    {"T107 id 0", R"("vlanTrunk":[{"id":0}],)", 7, "id", __LINE__},
    {"T107 id 4095", R"("vlanTrunk":[{"id":4095}],)", 7, "id", __LINE__},
    {"T107 a range from back to front", R"("vlanTrunk":[{"minID":9,"maxID":8}],)", 7, "vlanTrunk",
     __LINE__},
    {"T107 an id below 0", R"("vlanTrunk":[{"id":-1}],)", 7, "id", __LINE__},
    {"T122 an address on an interface that is down", R"("disableContainerInterface":true,)", 7,
     "disableContainerInterface", __LINE__},
    {"T117 an unknown back end", R"("ipMasq":true,"ipMasqBackend":"pf",)", 7, "ipMasqBackend",
     __LINE__},
    {"an mtu in quotes", R"("mtu":"1500",)", 7, "mtu", __LINE__},
};

TEST_F(cni_key_cases, T107_T108_T111_T117_T122_wrong_keys_are_refused_before_anything_is_made) {
  for (const auto &c : kRefusedBridge)
    for (const auto &version : kVersions) {
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version);
      const auto config = at(version, runtime.config(c.members, kIpam));
      const auto run = runtime.named("bridge", Command::add, "c1", config);
      EXPECT_EQ(code_of(run.output), c.code) << run.output;
      EXPECT_TRUE(has(run.output, c.mentions)) << run.output;
      EXPECT_EQ(runtime.on_host("ip -br link | grep -v ^lo"), "");
      EXPECT_EQ(listing(runtime.store()), "");
      runtime.removed("bridge", "c1", config);
    }
}

struct ChainedKey {
  const char *name, *plugin, *members;
  unsigned code; ///< 0: taken
  int line;
};

const ChainedKey kChained[] = {
    {"T221 host port 0", "portmap",
     R"("runtimeConfig":{"portMappings":[{"hostPort":0,"containerPort":80}]})", 7, __LINE__},
    {"T221 a negative port", "portmap",
     R"("runtimeConfig":{"portMappings":[{"hostPort":80,"containerPort":-1}]})", 7, __LINE__},
    {"T222 iptables' words for nftables", "portmap",
     R"("backend":"nftables","conditionsV4":["-s","10.0.0.0/8"])", 7, __LINE__},
    {"T222 nftables' words for iptables", "portmap",
     R"("backend":"iptables","conditionsV4":["ip","saddr","10.0.0.0/8"])", 7, __LINE__},
    {"T222 two marks", "portmap", R"("externalSetMarkChain":"X","markMasqBit":5)", 7, __LINE__},
    {"T222 bit 32", "portmap", R"("markMasqBit":32)", 7, __LINE__},
    {"T220 no mappings", "portmap", R"("snat":true)", 0, __LINE__},
    {"T260 a rate without burst", "bandwidth", R"("ingressRate":1000)", 7, __LINE__},
    {"T260 a burst too great", "bandwidth", R"("ingressRate":1000,"ingressBurst":34359738368)", 7,
     __LINE__},
    {"T260 the runtimes' greatest burst", "bandwidth",
     R"("runtimeConfig":{"bandwidth":{"IngressRate":8000000,"IngressBurst":4294967295}})", 0,
     __LINE__},
    {"T260 no limits", "bandwidth", R"("x":1)", 0, __LINE__},
    {"T270 a sysctl outside net", "tuning", R"("sysctl":{"kernel.hostname":"x"})", 7, __LINE__},
    {"T270 a sysctl twice", "tuning",
     R"("sysctl":{"net.ipv4.ip_forward":"1","net.ipv4.ip_forward":"1"})", 7, __LINE__},
    {"T270 a sysctl of the interface", "tuning",
     R"("sysctl":{"net.ipv4.conf.IFNAME.rp_filter":"2"})", 0, __LINE__},
    {"T270 attributes", "tuning", R"("promisc":true,"txQLen":500)", 0, __LINE__},
    {"T250 the loopback interface", "loopback", R"("x":1)", 0, __LINE__},
};

TEST_F(cni_key_cases, T220_T221_T222_T250_T260_T270_keys_of_chained_plugins) {
  for (const auto &version : kVersions) {
    const auto bridge = at(version, runtime.config("", kIpam));
    const auto previous = runtime.added("bridge", "c1", bridge);
    for (const auto &c : kChained) {
      if (std::string(c.plugin) == "bandwidth" && version < "0.3.0")
        continue; // it has no older form
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version);
      const auto config = cni::with_previous(
          R"({"cniVersion":")" + version + R"(","name":"net","type":")" + c.plugin +
              R"(","dataDir":")" + runtime.folder().path() + "/tuning\"," + c.members + "}",
          previous);
      const auto run = runtime.named(c.plugin, Command::add, "c1", config);
      EXPECT_EQ(code_of(run.output), c.code) << run.output;
      if (c.code == 0 && has_check(version)) {
        const auto last = config.substr(0, config.rfind(",\"prevResult\"")) + "}";
        EXPECT_EQ(
            runtime.named(c.plugin, Command::check, "c1", cni::with_previous(last, run.output))
                .output,
            "");
      }
      runtime.removed(c.plugin, "c1", config);
      EXPECT_EQ(listing(runtime.folder().path() + "/tuning"), "");
    }
    runtime.removed("bridge", "c1", bridge);
  }
}

TEST_F(cni_key_cases, T280_flannel_in_every_version) {
  const auto folder = runtime.folder().path();
  write_file(folder + "/subnet.env", "FLANNEL_NETWORK=10.77.0.0/16\nFLANNEL_SUBNET=10.77.3.1/24\n"
                                     "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    const auto config =
        R"({"cniVersion":")" + version + R"(","name":"cbr0","type":"flannel","subnetFile":")" +
        folder + R"(/subnet.env","dataDir":")" + folder + R"(/flannel","ipam":{"dataDir":")" +
        folder + R"("},"delegate":{"isDefaultGateway":true,"hairpinMode":true}})";
    EXPECT_TRUE(has(runtime.added("flannel", "c1", config), "10.77.3."));
    EXPECT_TRUE(has(runtime.in_pod("c1", "ip route"), "10.77.0.0/16"));
    EXPECT_TRUE(has(runtime.in_pod("c1", "ip link show eth0"), "mtu 1450"));
    runtime.removed("flannel", "c1", config);
    EXPECT_EQ(listing(folder + "/flannel"), "");
    EXPECT_EQ(runtime.on_host("ip -br link show type veth"), "");
    runtime.removed("flannel", "c1", config);
  }
}

} // namespace
} // namespace sluice::integration
