#include "cni/portmap/config.hpp"
#include "cni/portmap/nft_conditions.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

Outcome<PortmapConfig> parse(const std::string &members) {
  const auto network =
      parse_config(R"({"cniVersion":"1.0.0","name":"net","type":"portmap",)" + members + "}",
                   Strictness::strict);
  EXPECT_TRUE(network) << members;
  return parse_portmap_config(*network);
}

struct BackendCase {
  const char *name, *members;
  std::optional<PortmapBackend> backend;
  int line;
};
const BackendCase kBackends[] = {
    {"nothing is said", R"("snat":true)", std::nullopt, __LINE__},
    {"null is as good as nothing", R"("backend":null)", std::nullopt, __LINE__},
    {"it is said", R"("backend":"nftables")", PortmapBackend::nftables, __LINE__},
    {"by a condition with a dash", R"("conditionsV4":["-d","10.0.0.0/8"])",
     PortmapBackend::iptables, __LINE__},
    {"by a negated condition", R"("conditionsV6":["!","-i","eth0"])", PortmapBackend::iptables,
     __LINE__},
    {"by a condition of nft", R"("conditionsV4":["ip","saddr","10.0.0.0/8"])",
     PortmapBackend::nftables, __LINE__},
    {"by a chain to mark in", R"("externalSetMarkChain":"KUBE-MARK-MASQ")",
     PortmapBackend::iptables, __LINE__},
};

TEST(cni_portmap_config, the_back_end_follows_from_the_words_that_only_one_has) {
  for (const auto &c : kBackends) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config = parse(c.members);
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->backend, c.backend);
  }
}

struct RefusedCase {
  const char *name, *members, *mentions;
  int line;
};
const RefusedCase kRefused[] = {
    {"port 0", R"("runtimeConfig":{"portMappings":[{"hostPort":0,"containerPort":80}]})",
     "hostPort is 0", __LINE__},
    {"a negative port", R"("runtimeConfig":{"portMappings":[{"hostPort":80,"containerPort":-1}]})",
     "containerPort is -1", __LINE__},
    {"a port that no port is",
     R"("runtimeConfig":{"portMappings":[{"hostPort":65536,"containerPort":1}]})",
     "hostPort is 65536", __LINE__},
    {"no port at all", R"("runtimeConfig":{"portMappings":[{"containerPort":1}]})",
     "portMappings[0].hostPort is missing", __LINE__},
    {"another protocol",
     R"("runtimeConfig":{"portMappings":[{"hostPort":1,"containerPort":1,"protocol":"icmp"}]})",
     "protocol is \"icmp\"", __LINE__},
    {"a host IP that is none",
     R"("runtimeConfig":{"portMappings":[{"hostPort":1,"containerPort":1,"hostIP":"localhost"}]})",
     "hostIP is \"localhost\"", __LINE__},
    {"an unknown back end", R"("backend":"ipfw")", "backend is \"ipfw\"", __LINE__},
    {"iptables' words for nftables", R"("backend":"nftables","conditionsV4":["-i","eth0"])",
     "conditionsV4", __LINE__},
    {"nftables' words for iptables", R"("backend":"iptables","conditionsV6":["iifname","eth0"])",
     "conditionsV6", __LINE__},
    {"both dialects", R"("conditionsV4":["-i","eth0"],"conditionsV6":["iifname","eth0"])",
     "conditionsV6", __LINE__},
    {"a chain and a bit", R"("externalSetMarkChain":"X","markMasqBit":3)", "markMasqBit", __LINE__},
    {"a chain in nftables", R"("backend":"nftables","externalSetMarkChain":"X")",
     "externalSetMarkChain", __LINE__},
    {"a chain that is a command", R"("externalSetMarkChain":"X -j DROP")", "externalSetMarkChain",
     __LINE__},
    {"bit 32", R"("markMasqBit":32)", "markMasqBit is 32", __LINE__},
    {"a second line in a condition", R"("conditionsV4":["-i","eth0\nCOMMIT"])", "control character",
     __LINE__},
};

TEST(cni_portmap_config, refuses_by_name) {
  for (const auto &c : kRefused) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config = parse(c.members);
    ASSERT_FALSE(config);
    EXPECT_TRUE(config.error().is(Code::invalid_config));
    EXPECT_NE(config.error().message().find(c.mentions), std::string::npos)
        << config.error().message();
  }
}

TEST(cni_portmap_config, a_host_ip_holds_for_its_family_and_unspecified_is_any) {
  const auto config = parse(R"("runtimeConfig":{"portMappings":[
    {"hostPort":1,"containerPort":1,"protocol":"TCP"},
    {"hostPort":2,"containerPort":1,"protocol":"udp","hostIP":"192.0.2.1"},
    {"hostPort":3,"containerPort":1,"protocol":"sctp","hostIP":"0.0.0.0"},
    {"hostPort":4,"containerPort":1,"protocol":"tcp","hostIP":"2001:db8::1"},
    {"hostPort":5,"containerPort":1,"protocol":"tcp","hostIP":"::"}]})");
  ASSERT_TRUE(config) << config.error().message();
  const auto text = [&](Family family) {
    std::string all;
    for (const auto &mapping : mappings_of(*config, family))
      all += std::to_string(mapping.host.value) +
             (certain_host_ip(mapping) ? "@" + certain_host_ip(mapping)->str() : "") + " ";
    return all;
  };
  EXPECT_EQ(text(Family::ipv4), "1 2@192.0.2.1 3 ");
  EXPECT_EQ(text(Family::ipv6), "1 4@2001:db8::1 5 ");
}

TEST(cni_portmap_config, the_pod_s_addresses_are_the_first_of_each_family_of_its_interface) {
  const auto result = parse_result(R"({"cniVersion":"1.0.0",
    "interfaces":[{"name":"eth0"},{"name":"other","sandbox":"/x"},{"name":"eth0","sandbox":"/x"}],
    "ips":[{"address":"10.0.0.1/24","interface":0},{"address":"10.0.0.2/24","interface":1},
           {"address":"10.0.0.3/24","interface":2},{"address":"10.0.0.4/24","interface":2},
           {"address":"fd00::5/64"}]})",
                                   kLatestVersion);
  ASSERT_TRUE(result);
  std::string text;
  for (const auto &address : pod_addresses(*result, "eth0"))
    text += address.str() + " ";
  EXPECT_EQ(text, "10.0.0.3/24 fd00::5/64 ");
}

TEST(cni_portmap_config, conditions_of_nft_are_read_in_one_word_or_many) {
  for (const std::vector<std::string> &words :
       {std::vector<std::string>{"ip saddr != 10.0.0.0/8 iifname \"eth0\" meta mark 0x10"},
        std::vector<std::string>{"ip", "saddr", "!=", "10.0.0.0/8", "iifname", "==", "eth0",
                                 "meta mark", "16"}}) {
    const auto conditions = parse_nft_conditions(words, Family::ipv4);
    ASSERT_TRUE(conditions) << conditions.error().message();
    ASSERT_EQ(conditions->size(), 3U);
    EXPECT_EQ((*conditions)[0].network.str(), "10.0.0.0/8");
    EXPECT_FALSE((*conditions)[0].equal);
    EXPECT_EQ((*conditions)[1].name, "eth0");
    EXPECT_EQ((*conditions)[2].number, 16U);
  }
}

TEST(cni_portmap_config, conditions_that_are_not_understood_are_refused_whole) {
  for (const char *text :
       {"tcp dport 80", "ip saddr", "ip saddr { 10.0.0.1 }", "ip6 saddr fd00::/8",
        "ip saddr fd00::/8", "meta mark x", "iifname a-name-of-sixteen"}) {
    const auto conditions = parse_nft_conditions({text}, Family::ipv4);
    ASSERT_FALSE(conditions) << text;
    EXPECT_TRUE(conditions.error().is(Code::unsupported_field));
    EXPECT_NE(conditions.error().message().find(text), std::string::npos);
  }
}

} // namespace
} // namespace sluice::cni
