#include "cni/bandwidth_config.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

Outcome<BandwidthConfig> parse(const std::string &members) {
  const auto config =
      parse_config(R"({"cniVersion":"1.0.0","name":"net","type":"bandwidth")" + members + "}",
                   Strictness::strict);
  EXPECT_TRUE(config) << members;
  return parse_bandwidth_config(*config);
}

TEST(cni_bandwidth_config, limits_become_token_buckets) {
  const struct {
    int line;
    std::uint64_t rate_bits, burst_bits;
    TokenBucket bucket;
  } cases[] = {
      {__LINE__, 8'000'000, 80'000, {1'000'000, 35'000, 156'250}},
      {__LINE__, 8, 8, {1, 1, 15'625'000}},
      {__LINE__, 15, 15, {1, 1, 15'625'000}},
      {__LINE__, 80'000'000'000, 80'000, {10'000'000'000, 250'010'000, 15}},
      // More than a number of the kernel's message holds.
      {__LINE__, 8, 34'359'738'359, {1, UINT32_MAX - 1, UINT32_MAX}},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    const auto bucket = token_bucket(c.rate_bits, c.burst_bits);
    EXPECT_EQ(bucket.rate_bytes, c.bucket.rate_bytes);
    EXPECT_EQ(bucket.limit_bytes, c.bucket.limit_bytes);
    EXPECT_EQ(bucket.buffer_ticks, c.bucket.buffer_ticks);
  }
}

TEST(cni_bandwidth_config, own_keys_win_over_the_runtimes_as_a_whole) {
  const std::string runtime =
      R"(,"runtimeConfig":{"bandwidth":{"ingressRate":8000,"ingressBurst":8000,)"
      R"("egressRate":16000,"egressBurst":8000}})";
  const auto both = parse(runtime);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->ingress->rate_bytes, 1000U);
  EXPECT_EQ(both->egress->rate_bytes, 2000U);
  const auto own = parse(R"(,"ingressRate":800,"ingressBurst":800)" + runtime);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->ingress->rate_bytes, 100U);
  EXPECT_FALSE(own->egress);
  EXPECT_TRUE(parse(R"(,"ingressRate":0)" + runtime)->empty());
  EXPECT_TRUE(parse("")->empty());
  EXPECT_TRUE(parse(R"(,"runtimeConfig":{})")->empty());
}

TEST(cni_bandwidth_config, wrong_limits_are_refused_and_named) {
  const struct {
    int line;
    const char *members, *message;
  } cases[] = {
      {__LINE__, R"(,"ingressRate":8000)",
       "ingressRate is 8000: a rate needs its burst, ingressBurst"},
      {__LINE__, R"(,"egressBurst":8000)",
       "egressBurst is 8000: a burst needs its rate, egressRate"},
      {__LINE__, R"(,"ingressRate":7,"ingressBurst":8)",
       "ingressRate is 7: the least is 8 bits a second"},
      {__LINE__, R"(,"ingressRate":-1,"ingressBurst":8)",
       "ingressRate is -1: expected a whole number from 0 to 9223372036854775807"},
      {__LINE__, R"(,"ingressRate":8,"ingressBurst":34359738360)",
       "ingressBurst is 34359738360: expected a whole number from 0 to 34359738359"},
      {__LINE__, R"(,"runtimeConfig":{"bandwidth":{"egressRate":8}})",
       "runtimeConfig.bandwidth.egressRate is 8: a rate needs its burst, egressBurst"},
      {__LINE__, R"(,"runtimeConfig":{"bandwidth":[]})",
       "runtimeConfig.bandwidth is []: expected an object"},
      {__LINE__, R"(,"ingressRate":8,"ingressBurst":8,"shapedSubnets":["10.0.0.0"])",
       "shapedSubnets is [\"10.0.0.0\"]: \"10.0.0.0\" is no subnet, as 10.0.0.0/8 is one"},
      {__LINE__,
       R"(,"ingressRate":8,"ingressBurst":8,"shapedSubnets":["::/0"],"unshapedSubnets":["::/0"])",
       "shapedSubnets and unshapedSubnets are both set: only one can be"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    const auto config = parse(c.members);
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().message(), c.message);
  }
  EXPECT_TRUE(parse(R"(,"ingressRate":8,"ingressBurst":4294967295)"));
  EXPECT_TRUE(parse(R"(,"ingressRate":8,"ingressBurst":34359738359)"));
}

TEST(cni_bandwidth_config, a_kernel_may_keep_a_burst_of_4_seconds_at_most) {
  const auto wanted = token_bucket(8000, 80'000);
  EXPECT_EQ(wanted.buffer_ticks, 156'250'000U);
  auto kept = wanted;
  EXPECT_TRUE(same_in_kernel(wanted, kept));
  kept.buffer_ticks = UINT32_MAX / 64;
  EXPECT_TRUE(same_in_kernel(wanted, kept));
  kept.rate_bytes = 1;
  EXPECT_FALSE(same_in_kernel(wanted, kept));
}

TEST(cni_bandwidth_config, the_device_is_named_as_the_reference_plugin_names_it) {
  // printf netc1 | sha512sum
  EXPECT_EQ(shaping_device("net", "c1"), "bwp623e1c388032");
}

TEST(cni_bandwidth_config, the_hosts_end_is_the_peer_that_the_result_names) {
  const AddResult previous = {.interfaces = {{.name = "cni0"},
                                             {.name = "veth1"},
                                             {.name = "veth2"},
                                             {.name = "veth3", .sandbox = "/pod"}}};
  EXPECT_EQ(host_end(previous, {.name = "veth2"})->name, "veth2");
  EXPECT_FALSE(host_end(previous, {.name = "veth3"}));
  EXPECT_FALSE(host_end(previous, {.name = "veth4"}));
  EXPECT_FALSE(host_end({}, {.name = "veth1"}));
}

TEST(cni_bandwidth_config, subnets_hold_for_the_rates_of_the_runtime_too) {
  const std::string runtime = R"(,"runtimeConfig":{"bandwidth":{"ingressRate":8,"ingressBurst":8)";
  const auto choice = [](const std::string &members) { return parse(members)->choice; };
  EXPECT_EQ(choice(runtime + "}}"), std::nullopt);
  EXPECT_EQ(choice(runtime + R"(}},"shapedSubnets":[])"), std::nullopt);
  EXPECT_EQ(
      choice(runtime + R"(}},"unshapedSubnets":["10.1.2.3/8","fd00::/8"])"),
      (SubnetChoice{{Cidr::parse("10.0.0.0/8").value(), Cidr::parse("fd00::/8").value()}, false}));
  EXPECT_EQ(choice(runtime + R"(,"shapedSubnets":["10.0.0.0/8"]}},"unshapedSubnets":["::/0"])"),
            (SubnetChoice{{Cidr::parse("10.0.0.0/8").value()}, true}));
}

} // namespace
} // namespace sluice::cni
