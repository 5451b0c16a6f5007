#include "cni/bridge_plan.hpp"
#include "cni/masquerade.hpp"
#include "cni/names.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

InterfaceAddress address(const char *text) { return InterfaceAddress::parse(text).value(); }

AddResult one_pod() {
  AddResult result;
  result.ips.push_back({address("10.1.0.5/24"), std::nullopt, std::nullopt});
  return result;
}

const kernel::IfIndex kBridge{7};

kernel::Link bridge_link() {
  return {.index = kBridge, .name = "cni0", .kind = "bridge", .up = true};
}

TEST(cni_names, names_follow_from_the_attachment_and_fit) {
  const auto name = host_link_name("net", {"c1", "eth0"});
  EXPECT_EQ(name.size(), 15U);
  EXPECT_TRUE(name.starts_with("veth"));
  EXPECT_EQ(host_link_name("net", {"c1", "eth0"}), name);
  EXPECT_NE(host_link_name("net", {"c1", "eth1"}), name);
  EXPECT_NE(host_link_name("net2", {"c1", "eth0"}), name);
  const auto owner = parse_host_link_alias(host_link_alias("net", {"c1", "eth0"}));
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->network, "net");
  EXPECT_EQ(owner->attachment, (Attachment{"c1", "eth0"}));
  EXPECT_FALSE(parse_host_link_alias("somebody else's"));
}

TEST(cni_plan, a_gateway_and_a_default_route_are_filled_in) {
  BridgeConfig config;
  config.is_gateway = config.is_default_gateway = true;
  auto result = one_pod();
  complete_addresses(config, result);
  EXPECT_EQ(result.ips[0].gateway->str(), "10.1.0.1");
  ASSERT_EQ(result.routes.size(), 1U);
  EXPECT_EQ(result.routes[0].destination.str(), "0.0.0.0/0");
  EXPECT_EQ(result.routes[0].gateway->str(), "10.1.0.1");
  complete_addresses(config, result); // one that is there is not doubled
  EXPECT_EQ(result.routes.size(), 1U);
}

TEST(cni_plan, a_default_route_of_ipam_without_gateway_gets_one) {
  BridgeConfig config;
  config.is_gateway = config.is_default_gateway = true;
  auto result = one_pod();
  result.routes.push_back({.destination = Cidr::parse("0.0.0.0/0").value()});
  complete_addresses(config, result);
  ASSERT_EQ(result.routes.size(), 1U);
  EXPECT_EQ(result.routes[0].gateway->str(), "10.1.0.1");
}

TEST(cni_plan, a_bridge_that_is_as_wanted_costs_nothing) {
  BridgeConfig config;
  const ObservedBridge observed{bridge_link(), {{kBridge, address("10.1.0.1/24")}}};
  EXPECT_TRUE(plan_bridge(config, {address("10.1.0.1/24")}, observed, {}, true)->empty());
}

struct AddressCase {
  const char *name, *held, *wanted;
  bool force;
  const char *plan; // nullptr: refused
  int line;
};

const AddressCase kAddresses[] = {
    {"missing", "fe80::1/64", "10.1.0.1/24", false, "address add 10.1.0.1/24", __LINE__},
    {"another IPv4 address", "10.2.0.1/24", "10.1.0.1/24", false, nullptr, __LINE__},
    {"another IPv4 address, forced", "10.2.0.1/24", "10.1.0.1/24", true, "address del 10.2.0.1/24",
     __LINE__},
    {"the same address with another length", "10.1.0.1/16", "10.1.0.1/24", false, nullptr,
     __LINE__},
    {"an IPv6 network that overlaps", "fd00::2/64", "fd00::1/64", false, nullptr, __LINE__},
    {"another IPv6 network", "fd01::1/64", "fd00::1/64", false, "address add fd00::1/64", __LINE__},
    {"the other family", "10.2.0.1/24", "fd00::1/64", false, "address add fd00::1/64", __LINE__},
};

TEST(cni_plan, addresses_that_stand_against_the_gateways_are_refused_or_replaced) {
  for (const auto &c : kAddresses) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    BridgeConfig config;
    config.force_address = c.force;
    const ObservedBridge observed{bridge_link(), {{kBridge, address(c.held)}}};
    const auto batch = plan_bridge(config, {address(c.wanted)}, observed, {}, true);
    EXPECT_EQ(batch.has_value(), c.plan != nullptr);
    if (batch && c.plan) {
      EXPECT_NE(batch->str().find(c.plan), std::string::npos) << batch->str();
    }
  }
}

TEST(cni_plan, the_pods_side_is_one_batch) {
  BridgeConfig config;
  config.is_gateway = config.is_default_gateway = true;
  auto result = one_pod();
  complete_addresses(config, result);
  const auto batch = plan_pod_link(config, kernel::IfIndex(2), MacAddress::from_seed(1), result);
  EXPECT_EQ(batch.size(), 4U) << batch.str(); // up, address, route, neighbour
}

TEST(cni_plan, routes_to_one_destination_stand_beside_each_other) {
  auto result = one_pod();
  for (const auto *gateway : {"10.1.0.1", "10.1.0.2"})
    result.routes.push_back({.destination = Cidr::parse("10.9.0.0/16").value(),
                             .gateway = IpAddress::parse(gateway).value()});
  const auto batch = plan_pod_link({}, kernel::IfIndex(2), {}, result);
  const auto text = batch.str();
  EXPECT_NE(text.find("route append 10.9.0.0/16 via 10.1.0.2"), std::string::npos) << text;
}

TEST(cni_masquerade, chains_have_names_that_nft_reads) {
  EXPECT_EQ(masquerade_chain(Cidr::parse("10.1.0.0/24").value()), "masq-10.1.0.0/24");
  EXPECT_EQ(masquerade_chain(Cidr::parse("fd00:1::/64").value()), "masq-fd00_1__/64");
}

} // namespace
} // namespace sluice::cni
