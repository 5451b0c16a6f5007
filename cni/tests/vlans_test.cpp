#include "cni/bridge_plan.hpp"
#include "cni/protocol/config.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

NetworkConfig config_with(const std::string &members) {
  return std::move(parse_config(R"({"cniVersion":"1.0.0","name":"net","type":"bridge",)" + members +
                                    R"("dns":{}})",
                                Strictness::strict)
                       .value());
}

struct ParseCase {
  const char *name, *members;
  Vlans expected;
  const char *error; // nullptr: none
  int line;
};

const ParseCase kParse[] = {
    {"nothing", "", {}, nullptr, __LINE__},
    {"0 is no VLAN", R"("vlan":0,)", {}, nullptr, __LINE__},
    {"an access port", R"("vlan":100,)", {.native = 100}, nullptr, __LINE__},
    {"the default VLAN stays",
     R"("vlan":4094,"preserveDefaultVlan":true,)",
     {.native = 4094, .preserve_default = true},
     nullptr,
     __LINE__},
    {"ids and ranges, sorted, each once",
     R"("vlanTrunk":[{"id":42},{"minID":40,"maxID":43},{"id":7,"minID":9,"maxID":9}],)",
     {.trunk = {7, 9, 40, 41, 42, 43}},
     nullptr,
     __LINE__},
    {"a trunk with a native VLAN",
     R"("vlan":5,"vlanTrunk":[{"id":6}],)",
     {.native = 5, .trunk = {6}},
     nullptr,
     __LINE__},
    {"below the range", R"("vlan":-100,)", {}, "vlan is -100", __LINE__},
    {"above the range", R"("vlan":5000,)", {}, "vlan is 5000", __LINE__},
    {"id 0", R"("vlanTrunk":[{"id":0}],)", {}, "vlanTrunk[0].id is 0", __LINE__},
    {"id too large", R"("vlanTrunk":[{"id":4095}],)", {}, "vlanTrunk[0].id is 4095", __LINE__},
    {"id negative", R"("vlanTrunk":[{"id":-1}],)", {}, "vlanTrunk[0].id is -1", __LINE__},
    {"min without max",
     R"("vlanTrunk":[{"id":1},{"minID":3}],)",
     {},
     "vlanTrunk[1].minID is 3: maxID is missing",
     __LINE__},
    {"max without min",
     R"("vlanTrunk":[{"maxID":3}],)",
     {},
     "vlanTrunk[0].maxID is 3: minID is missing",
     __LINE__},
    {"max below min",
     R"("vlanTrunk":[{"minID":9,"maxID":3}],)",
     {},
     "vlanTrunk[0].minID is 9: it is greater than maxID, 3",
     __LINE__},
    {"min out of range", R"("vlanTrunk":[{"minID":0,"maxID":3}],)", {}, "minID is 0", __LINE__},
    {"max out of range",
     R"("vlanTrunk":[{"minID":1,"maxID":9999}],)",
     {},
     "maxID is 9999",
     __LINE__},
    {"an empty entry", R"("vlanTrunk":[{}],)", {}, "vlanTrunk[0].id is missing", __LINE__},
    {"no list", R"("vlanTrunk":7,)", {}, "expected a list", __LINE__},
};

TEST(cni_vlans, keys_are_read_or_refused_by_name) {
  for (const auto &c : kParse) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config = config_with(c.members);
    const auto vlans = parse_vlans(top_of(config));
    ASSERT_EQ(vlans.has_value(), c.error == nullptr);
    if (vlans) {
      EXPECT_EQ(*vlans, c.expected);
    } else {
      EXPECT_TRUE(vlans.error().is(Code::invalid_config));
      EXPECT_NE(vlans.error().message().find(c.error), std::string::npos)
          << vlans.error().message();
    }
  }
}

struct PlanCase {
  const char *name;
  Vlans vlans;
  std::uint16_t default_vlan;
  const char *plan;
  int line;
};

const PlanCase kPlans[] = {
    {"no VLAN costs nothing", {}, 1, "", __LINE__},
    {"an access port leaves the default VLAN",
     {.native = 100},
     1,
     "bridge vlan del dev veth1 vid 1\nbridge vlan add dev veth1 vid 100 pvid untagged\n",
     __LINE__},
    {"or keeps it",
     {.native = 100, .preserve_default = true},
     1,
     "bridge vlan add dev veth1 vid 100 pvid untagged\n",
     __LINE__},
    {"a bridge may have none",
     {.native = 100},
     0,
     "bridge vlan add dev veth1 vid 100 pvid untagged\n",
     __LINE__},
    {"a trunk's native VLAN is 1",
     {.trunk = {7, 8}},
     0,
     "bridge vlan add dev veth1 vid 1 pvid untagged\nbridge vlan add dev veth1 vid 7\n"
     "bridge vlan add dev veth1 vid 8\n",
     __LINE__},
    {"the native VLAN is not tagged beside",
     {.native = 7, .trunk = {7, 8}},
     0,
     "bridge vlan add dev veth1 vid 7 pvid untagged\nbridge vlan add dev veth1 vid 8\n",
     __LINE__},
};

TEST(cni_vlans, a_port_is_in_the_vlans_asked_for) {
  for (const auto &c : kPlans) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    kernel::RtnlBatch batch;
    plan_port_vlans(c.vlans, "veth1", c.default_vlan, batch);
    EXPECT_EQ(batch.str(), c.plan);
  }
}

kernel::Link bridge_with(std::optional<bool> filtering) {
  return {.index = kernel::IfIndex(7),
          .name = "cni0",
          .kind = "bridge",
          .up = true,
          .vlan_filtering = filtering,
          .default_pvid = 1};
}

TEST(cni_vlans, a_bridge_that_does_not_filter_is_refused_before_anything_is_made) {
  BridgeConfig config;
  config.vlans.native = 100;
  const auto plan = [&](const kernel::Link &bridge) {
    return plan_bridge(config, {}, {bridge, {}}, {}, false);
  };
  EXPECT_TRUE(plan(bridge_with(true)).has_value());
  EXPECT_TRUE(plan(bridge_with(false)).error().is(Code::invalid_config));
  const auto refused = plan(bridge_with(std::nullopt)).error();
  EXPECT_TRUE(refused.is(Code::unsupported_field));
  EXPECT_EQ(refused.message(), "vlan is 100, and this kernel's bridges do not filter VLANs");
  EXPECT_NE(refused.details().find("CONFIG_BRIDGE_VLAN_FILTERING"), std::string::npos);
  config.vlans = {};
  EXPECT_TRUE(plan(bridge_with(std::nullopt)).has_value());
}

TEST(cni_vlans, the_gateway_of_a_vlan_is_a_veth_of_its_own) {
  BridgeConfig config;
  config.bridge = "cni0";
  config.is_gateway = true;
  config.vlans.native = 100;
  const auto gateway = InterfaceAddress::parse("10.1.0.1/24").value();
  EXPECT_EQ(gateway_link(config), "cni0.100");
  const auto bridge = plan_bridge(config, {gateway}, {bridge_with(true), {}}, {}, false);
  EXPECT_EQ(bridge->str(), "") << "the bridge itself holds no gateway";
  const auto first = plan_vlan_gateway(config, {gateway}, {}, bridge_with(true))->str();
  for (const auto *line : {"master #7 up peer cni0.100", "vid 1\n", "vid 100 pvid untagged",
                           "link set cni0.100 up", "address add 10.1.0.1/24 dev cni0.100"})
    EXPECT_NE(first.find(line), std::string::npos) << line << " in\n" << first;
  const kernel::Link there{
      .index = kernel::IfIndex(9), .name = "cni0.100", .kind = "veth", .up = true};
  const ObservedBridge observed{there, {{there.index, gateway}}};
  EXPECT_TRUE(plan_vlan_gateway(config, {gateway}, observed, bridge_with(true))->empty())
      << "the second pod of a VLAN adds nothing";
}

} // namespace
} // namespace sluice::cni
