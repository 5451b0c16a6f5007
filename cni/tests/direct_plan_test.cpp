#include "cni/direct_check.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

InterfaceAddress address(const char *text) { return InterfaceAddress::parse(text).value(); }
IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }

AddResult dual() {
  AddResult result;
  result.ips.push_back({address("10.1.0.5/24"), ip("10.1.0.1"), std::nullopt});
  result.ips.push_back({address("fd00::5/64"), ip("fd00::1"), std::nullopt});
  return result;
}

const PodLink kLink{.host_name = "veth0",
                    .alias = "a",
                    .pod_name = "eth0",
                    .host_mac = MacAddress::from_seed(1),
                    .pod_mac = MacAddress::from_seed(2)};

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

NetworkConfig config_of(const std::string &members) {
  return parse_config(R"({"cniVersion":"1.0.0","name":"net","type":"sluice",)" + members + "}",
                      Strictness::strict)
      .value();
}

struct PlanCase {
  const char *name;
  Layout layout;
  bool host;
  const char *line;
  bool there;
  int at;
};

const PlanCase kPlans[] = {
    {"ptp: the gateway is on the host end", Layout::ptp, true, "address add 10.1.0.1/32", true,
     __LINE__},
    {"ptp: and that of IPv6", Layout::ptp, true, "address add fd00::1/128", true, __LINE__},
    {"ptp: the node's route", Layout::ptp, true, "route add 10.1.0.5/32", true, __LINE__},
    {"ptp: is not sluice-node's", Layout::ptp, true, "proto 83", false, __LINE__},
    {"ptp: the network is behind the gateway", Layout::ptp, false,
     "route add 10.1.0.0/24 via 10.1.0.1", true, __LINE__},
    {"ptp: the gateway is on the link", Layout::ptp, false, "route add fd00::1/128", true,
     __LINE__},
    {"ptp: no default route of its own", Layout::ptp, false, "0.0.0.0/0", false, __LINE__},
    {"routed: the host end has no address", Layout::routed, true, "address add", false, __LINE__},
    {"routed: the node's route", Layout::routed, true, "route add fd00::5/128", true, __LINE__},
    {"routed: is not sluice-node's", Layout::routed, true, "proto 84", true, __LINE__},
    {"routed: a single address", Layout::routed, false, "address add 10.1.0.5/32", true, __LINE__},
    {"routed: the gateway is on the link", Layout::routed, false, "route add 169.254.1.1/32", true,
     __LINE__},
    {"routed: fe80:: is by itself", Layout::routed, false, "route add fe80::1/128", false,
     __LINE__},
    {"routed: a default route", Layout::routed, false, "via 169.254.1.1", true, __LINE__},
    {"routed: and that of IPv6", Layout::routed, false, "via fe80::1", true, __LINE__},
};

TEST(cni_direct, each_layout_has_its_addresses_and_routes) {
  for (const auto &c : kPlans) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.at) + ")");
    auto result = dual();
    ASSERT_TRUE(complete_direct(c.layout, result));
    DirectConfig config;
    config.layout = c.layout;
    const auto text = (c.host ? plan_direct_host(config, kLink, kernel::IfIndex(7), result)
                              : plan_direct_pod(config, kLink, kernel::IfIndex(2), result))
                          .str();
    EXPECT_EQ(contains(text, c.line), c.there) << text;
  }
}

TEST(cni_direct, two_addresses_of_one_network_share_gateway_and_routes) {
  auto result = dual();
  result.ips.push_back({address("10.1.0.6/24"), ip("10.1.0.1"), std::nullopt});
  DirectConfig config;
  const auto host = plan_direct_host(config, kLink, kernel::IfIndex(7), result).str();
  EXPECT_EQ(host.find("address add 10.1.0.1/32"), host.rfind("address add 10.1.0.1/32")) << host;
  EXPECT_TRUE(contains(host, "route add 10.1.0.6/32")) << host;
  const auto pod = plan_direct_pod(config, kLink, kernel::IfIndex(2), result).str();
  EXPECT_EQ(pod.find("route add 10.1.0.0/24"), pod.rfind("route add 10.1.0.0/24")) << pod;
}

TEST(cni_direct, routed_sends_every_route_of_ipam_through_the_one_gateway) {
  auto result = dual();
  result.routes.push_back(
      {.destination = Cidr::parse("10.9.0.0/16").value(), .gateway = ip("10.1.0.1")});
  result.routes.push_back({.destination = Cidr::parse("0.0.0.0/0").value()});
  ASSERT_TRUE(complete_direct(Layout::routed, result));
  ASSERT_EQ(result.routes.size(), 3U); // and ::/0
  EXPECT_EQ(result.routes[0].gateway->str(), "169.254.1.1");
  EXPECT_EQ(result.routes[1].gateway->str(), "169.254.1.1");
  EXPECT_EQ(result.routes[2].gateway->str(), "fe80::1");
}

TEST(cni_direct, ptp_needs_a_gateway_for_each_address) {
  auto result = dual();
  result.ips[1].gateway.reset();
  const auto done = complete_direct(Layout::ptp, result);
  ASSERT_FALSE(done);
  EXPECT_TRUE(contains(done.error().message(), "fd00::5/64 without a gateway"));
}

TEST(cni_direct, a_masquerade_rule_is_for_a_network_and_never_for_a_pod) {
  EXPECT_EQ(masqueraded_pods(dual())->at(0).network().str(), "10.1.0.0/24");
  auto single = dual();
  single.ips[0].address.prefix_length = 32;
  ASSERT_FALSE(masqueraded_pods(single));
  EXPECT_TRUE(masqueraded_pods(single).error().is(Code::invalid_config));
}

TEST(cni_direct, check_finds_the_network_in_the_result_or_in_the_configuration) {
  const auto config = config_of(
      R"("ipam":{"type":"sluice-ipam","subnet":"10.9.0.0/24","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00::/64"}]]})");
  const std::vector<InterfaceAddress> pods = addresses_of(dual());
  EXPECT_EQ(checked_pods(config, dual()), pods);
  auto single = dual();
  ASSERT_TRUE(complete_direct(Layout::routed, single));
  EXPECT_EQ(checked_pods(config, single), pods);
}

struct ConfigCase {
  const char *name, *members;
  Layout layout;
  unsigned code; // 0: taken
  const char *mentions;
  int line;
};

const ConfigCase kConfigs[] = {
    {"the least", R"("ipam":{"type":"x"})", Layout::routed, 0, "", __LINE__},
    {"what a bridge would need is passed over",
     R"("bridge":"cni0","isDefaultGateway":true,"hairpinMode":true,"ipam":{"type":"x"})",
     Layout::routed, 0, "", __LINE__},
    {"no ipam", R"("mtu":1400)", Layout::routed, 7, "ipam.type is missing", __LINE__},
    {"no ipam for ptp", R"("mtu":1400)", Layout::ptp, 7, "ipam.type is missing", __LINE__},
    {"isolation", R"("portIsolation":true,"ipam":{"type":"x"})", Layout::routed, 2,
     "portIsolation is true", __LINE__},
    {"isolation under the name ptp", R"("portIsolation":true,"ipam":{"type":"x"})", Layout::ptp, 0,
     "", __LINE__},
    {"an interface that stays down", R"("disableContainerInterface":true,"ipam":{"type":"x"})",
     Layout::routed, 2, "disableContainerInterface", __LINE__},
    {"a VLAN", R"("vlan":7,"ipam":{"type":"x"})", Layout::routed, 2, "vlan", __LINE__},
    {"an MTU of another type", R"("mtu":"1400","ipam":{"type":"x"})", Layout::ptp, 7, "mtu is",
     __LINE__},
    {"a masquerade back end that there is not", R"("ipMasqBackend":"pf","ipam":{"type":"x"})",
     Layout::ptp, 7, "ipMasqBackend is", __LINE__},
    {"a bad MAC", R"("runtimeConfig":{"mac":"nonsense"},"ipam":{"type":"x"})", Layout::routed, 7,
     "nonsense", __LINE__},
    {"ptp has no MAC to ask for", R"("runtimeConfig":{"mac":"nonsense"},"ipam":{"type":"x"})",
     Layout::ptp, 0, "", __LINE__},
};

TEST(cni_direct, a_configuration_is_taken_or_refused_by_name) {
  for (const auto &c : kConfigs) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config = parse_direct_config(config_of(c.members), "", c.layout);
    EXPECT_EQ(config ? 0 : config.error().code(), c.code);
    if (!config) {
      EXPECT_TRUE(contains(config.error().message(), c.mentions)) << config.error().message();
    }
  }
}

} // namespace
} // namespace sluice::cni
