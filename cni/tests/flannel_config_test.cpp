#include "cni/flannel_config.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

const std::string kBoth =
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
    "FLANNEL_IPV6_NETWORK=fd00:10::/56\nFLANNEL_IPV6_SUBNET=fd00:10:0:1::1/64\n"
    "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

std::string delegate(const std::string &members, const std::string &env = kBoth) {
  const auto config =
      parse_config(R"({"cniVersion":"0.3.1","name":"cbr0","type":"flannel")" + members + "}",
                   Strictness::strict);
  const auto subnets = parse_subnet_env(env);
  if (!config || !subnets)
    return (config ? subnets.error() : config.error()).message();
  const auto text = delegate_config(*config, *subnets);
  return text ? *text : text.error().message();
}

TEST(cni_flannel_config, the_file_of_flanneld_reads) {
  const auto env = parse_subnet_env(kBoth + "OTHER=1\n# a remark\n\n");
  ASSERT_TRUE(env) << env.error().message();
  EXPECT_EQ(env->ipv4->str(), "10.244.1.0/24");
  EXPECT_EQ(env->ipv6->str(), "fd00:10:0:1::/64");
  EXPECT_EQ(env->mtu_bytes, 1450U);
  EXPECT_TRUE(env->masquerades);
  const auto several =
      parse_subnet_env("FLANNEL_NETWORK=10.1.0.0/16,10.2.0.0/16\nFLANNEL_SUBNET=10.1.4.1/24\n"
                       "FLANNEL_MTU=1500\nFLANNEL_IPMASQ=false");
  ASSERT_TRUE(several);
  EXPECT_EQ(several->networks.size(), 2U);
  EXPECT_FALSE(several->masquerades);
}

TEST(cni_flannel_config, what_is_missing_or_wrong_is_named) {
  const struct {
    int line;
    std::string text;
    const char *message;
  } cases[] = {
      {__LINE__, "",
       "missing: FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET or "
       "FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ"},
      {__LINE__, "FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_MTU=1\nFLANNEL_IPMASQ=true",
       "missing: FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET"},
      {__LINE__, kBoth + "FLANNEL_MTU=big", "FLANNEL_MTU is \"big\""},
      {__LINE__, kBoth + "FLANNEL_MTU=", "FLANNEL_MTU is \"\""},
      {__LINE__, kBoth + "FLANNEL_MTU=70000", "FLANNEL_MTU is \"70000\""},
      {__LINE__, kBoth + "FLANNEL_SUBNET=10.1.2.3", "FLANNEL_SUBNET is \"10.1.2.3\""},
      {__LINE__, kBoth + "FLANNEL_SUBNET=fd00::/64", "FLANNEL_SUBNET is \"fd00::/64\""},
      {__LINE__, kBoth + "FLANNEL_SUBNET=10.1.0.1/24,10.2.0.1/24",
       "FLANNEL_SUBNET is \"10.1.0.1/24,10.2.0.1/24\""},
      {__LINE__, kBoth + "FLANNEL_NETWORK=10.0.0.0/8,", "FLANNEL_NETWORK is \"10.0.0.0/8,\""},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    const auto env = parse_subnet_env(c.text);
    ASSERT_FALSE(env);
    EXPECT_EQ(env.error().message(), c.message);
  }
}

TEST(cni_flannel_config, the_delegate_gets_what_the_configuration_leaves_open) {
  const std::string ipam =
      R"("ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.1.0/24"}],)"
      R"([{"subnet":"fd00:10:0:1::/64"}]],"routes":[{"dst":"10.244.0.0/16"},{"dst":"fd00:10::/56"}]})";
  EXPECT_EQ(delegate(""), R"({"name":"cbr0","type":"bridge","ipMasq":false,"mtu":1450,)"
                          R"("isGateway":true,"cniVersion":"0.3.1",)" +
                              ipam + "}");
  EXPECT_EQ(
      delegate(R"(,"runtimeConfig":{"mac":"x"},"delegate":{"type":"ptp","mtu":9,"ipMasq":true})"),
      R"({"type":"ptp","mtu":9,"ipMasq":true,"name":"cbr0","cniVersion":"0.3.1",)"
      R"("runtimeConfig":{"mac":"x"},)" +
          ipam + "}");
}

TEST(cni_flannel_config, own_ipam_settings_stay_but_ranges_are_flannels) {
  EXPECT_EQ(
      delegate(R"(,"delegate":{"isGateway":false},"ipam":{"type":"sluice-ipam","dataDir":"/d",)"
               R"("ranges":[],"routes":[{"dst":"192.0.2.0/24"}]})",
               "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
               "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"),
      R"({"isGateway":false,"name":"cbr0","type":"bridge","ipMasq":true,"mtu":1450,)"
      R"("cniVersion":"0.3.1","ipam":{"type":"sluice-ipam","dataDir":"/d",)"
      R"("ranges":[[{"subnet":"10.244.1.0/24"}]],)"
      R"("routes":[{"dst":"192.0.2.0/24"},{"dst":"10.244.0.0/16"}]}})");
}

TEST(cni_flannel_config, a_delegate_that_says_too_much_is_refused) {
  const struct {
    int line;
    const char *members, *message;
  } cases[] = {
      {__LINE__, R"(,"delegate":{"name":"x"})",
       "delegate.name is \"x\": flannel sets it; remove it"},
      {__LINE__, R"(,"delegate":{"ipam":{}})", "delegate.ipam is {}: flannel sets it; remove it"},
      {__LINE__, R"(,"delegate":{"type":7})", "delegate.type is 7: expected a string"},
      {__LINE__, R"(,"delegate":[])", "delegate is []: expected an object"},
      {__LINE__, R"(,"ipam":{"routes":5})", "ipam.routes is 5: expected a list of objects"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    EXPECT_EQ(delegate(c.members), c.message);
  }
}

} // namespace
} // namespace sluice::cni
