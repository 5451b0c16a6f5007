#include "ipam/config.hpp"

#include <gtest/gtest.h>

namespace sluice::ipam {
namespace {

cni::Outcome<IpamConfig> parse(const std::string &members, const char *version = "1.1.0",
                               const char *args = "") {
  const auto config = cni::parse_config(std::string(R"({"name":"n","cniVersion":")") + version +
                                            "\"," + members + "}",
                                        cni::Strictness::strict);
  EXPECT_TRUE(config) << config.error().message();
  return parse_ipam_config(*config, args);
}

struct RangeCase {
  const char *name, *range;
  const char *expected; // the set's text, or what the error mentions after "!"
  int line;
};

const RangeCase kRangeCases[] = {
    {"a /24 goes from 1 to 254", R"({"subnet":"10.1.2.0/24"})", "10.1.2.1-10.1.2.254", __LINE__},
    {"a /26", R"({"subnet":"192.0.2.16/28"})", "192.0.2.17-192.0.2.30", __LINE__},
    {"IPv6 has no broadcast address", R"({"subnet":"2001:db8::/126"})", "2001:db8::1-2001:db8::3",
     __LINE__},
    {"a /64", R"({"subnet":"2001:db8:1::/64"})", "2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff",
     __LINE__},
    {"start and end", R"({"subnet":"10.1.2.0/24","rangeStart":"10.1.2.9","rangeEnd":"10.1.2.9"})",
     "10.1.2.9-10.1.2.9", __LINE__},
    {"keys in capitals, as containerd writes them",
     R"({"Subnet":"10.1.2.0/24","RangeStart":"10.1.2.9"})", "10.1.2.9-10.1.2.254", __LINE__},
    {"no subnet", R"({"rangeStart":"10.1.2.9"})", "!subnet is absent", __LINE__},
    {"host bits set", R"({"subnet":"10.1.2.3/24"})", "!host bits set", __LINE__},
    {"no address", R"({"subnet":"10.1.2.300/24"})", "!10.1.2.300", __LINE__},
    {"a /31 is too small", R"({"subnet":"10.1.2.0/31"})", "!too small", __LINE__},
    {"a /127 is too small", R"({"subnet":"2001:db8::/127"})", "!too small", __LINE__},
    {"start outside", R"({"subnet":"10.1.2.0/24","rangeStart":"10.1.3.1"})",
     "!rangeStart is \"10.1.3.1\": not in subnet", __LINE__},
    {"end outside", R"({"subnet":"10.1.2.0/24","rangeEnd":"10.1.3.1"})",
     "!rangeEnd is \"10.1.3.1\": not in subnet", __LINE__},
    {"end before start",
     R"({"subnet":"10.1.2.0/24","rangeStart":"10.1.2.9","rangeEnd":"10.1.2.8"})",
     "!before the start", __LINE__},
    {"gateway of the other family", R"({"subnet":"10.1.2.0/24","gateway":"2001:db8::1"})",
     "!gateway", __LINE__},
    {"subnet of another type", R"({"subnet":5})", "!subnet is 5: expected a string", __LINE__},
};

TEST(ipam_config, ranges_have_defaults_and_errors_name_the_key) {
  for (const auto &c : kRangeCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got =
        parse(std::string(R"("ipam":{"type":"host-local","ranges":[[)") + c.range + "]]}");
    if (c.expected[0] != '!') {
      ASSERT_TRUE(got) << got.error().message();
      EXPECT_EQ(got->sets.at(0).str(), c.expected);
      continue;
    }
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(cni::Code::invalid_config));
    EXPECT_NE(got.error().message().find(c.expected + 1), std::string::npos)
        << got.error().message();
    EXPECT_NE(got.error().message().find("ipam.ranges[0][0]."), std::string::npos);
  }
}

struct SetsCase {
  const char *name, *version, *members;
  const char *mentions; // nullptr: accepted
  int line;
};

const SetsCase kSetsCases[] = {
    {"nothing", "1.1.0", R"("ipam":{"type":"host-local"})", "nothing to give out", __LINE__},
    {"no ipam", "1.1.0", R"("dns":{})", "ipam is missing", __LINE__},
    {"an empty set", "1.1.0", R"("ipam":{"ranges":[[]]})", "is empty", __LINE__},
    {"a set with two families", "1.1.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24"},{"subnet":"fd00::/64"}]]})",
     "mixes address families", __LINE__},
    {"overlap in a set", "1.1.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24"},{"subnet":"10.0.0.128/25"}]]})",
     "ranges that overlap", __LINE__},
    {"one subnet in two parts", "1.1.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24","rangeEnd":"10.0.0.9"},{"subnet":"10.0.0.0/24","rangeStart":"10.0.0.10"}]]})",
     nullptr, __LINE__},
    {"parts that touch by one", "1.1.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24","rangeEnd":"10.0.0.10"},{"subnet":"10.0.0.0/24","rangeStart":"10.0.0.10"}]]})",
     "ranges that overlap", __LINE__},
    {"overlap across sets", "1.1.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24"}],[{"subnet":"10.0.0.0/25"}]]})",
     "range sets that overlap", __LINE__},
    {"two IPv4 sets of an old version", "0.2.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24"}],[{"subnet":"10.0.1.0/24"}]]})",
     "two IPv4 range sets", __LINE__},
    {"one set of each family of an old version", "0.2.0",
     R"("ipam":{"ranges":[[{"subnet":"10.0.0.0/24"}],[{"subnet":"fd00::/64"}]]})", nullptr,
     __LINE__},
    {"ranges is no list", "1.1.0", R"("ipam":{"ranges":{}})", "ipam.ranges is {}", __LINE__},
    {"a bad route", "1.1.0", R"("ipam":{"subnet":"10.0.0.0/24","routes":[{"dst":"x"}]})",
     "ipam.routes[0].dst", __LINE__},
};

TEST(ipam_config, sets_must_fit_together) {
  for (const auto &c : kSetsCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = parse(c.members, c.version);
    EXPECT_EQ(got.has_value(), c.mentions == nullptr) << (got ? "" : got.error().message());
    if (!got && c.mentions) {
      EXPECT_NE(got.error().message().find(c.mentions), std::string::npos) << got.error().message();
    }
  }
}

TEST(ipam_config, the_runtimes_ranges_come_first_then_the_single_subnet) {
  const auto got =
      parse(R"("runtimeConfig":{"ipRanges":[[{"Subnet":"10.3.0.0/24"}]]},)"
            R"("ipam":{"subnet":"10.2.0.0/24","ranges":[[{"subnet":"10.1.0.0/24"}]]})");
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_EQ(got->sets.size(), 3U);
  EXPECT_EQ(got->sets[0].str(), "10.3.0.1-10.3.0.254");
  EXPECT_EQ(got->sets[1].str(), "10.2.0.1-10.2.0.254");
  EXPECT_EQ(got->sets[2].str(), "10.1.0.1-10.1.0.254");
}

TEST(ipam_config, requested_addresses_come_from_three_places_once_each) {
  const auto got = parse(
      R"("args":{"cni":{"ips":["10.1.0.6","::ffff:10.1.0.5"]}},"runtimeConfig":{"ips":["fd00::7/64"]},)"
      R"("ipam":{"subnet":"10.1.0.0/24"})",
      "1.1.0", "IP=10.1.0.5/24");
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_EQ(got->requested.size(), 3U);
  EXPECT_EQ(got->requested[0].str(), "10.1.0.5");
  EXPECT_EQ(got->requested[1].str(), "10.1.0.6");
  EXPECT_EQ(got->requested[2].str(), "fd00::7");
  EXPECT_FALSE(parse(R"("ipam":{"subnet":"10.1.0.0/24"})", "1.1.0", "IP=x"));
}

TEST(ipam_config, the_folder_of_the_store_needs_nothing_else_to_be_right) {
  const auto config = cni::parse_config(R"({"name":"n","ipam":{"dataDir":"/x","ranges":7}})",
                                        cni::Strictness::lenient);
  EXPECT_EQ(store_folder(*config), "/x/n");
  const auto bare = cni::parse_config(R"({"name":"n"})", cni::Strictness::lenient);
  EXPECT_EQ(store_folder(*bare), "/var/lib/cni/networks/n");
}

TEST(ipam_config, resolv_conf_is_read_line_by_line) {
  const auto dns = parse_resolv_conf(
      "# comment\n; comment\nnameserver 10.0.0.1\nnameserver\t10.0.0.2\n"
      "domain a.test\nsearch b.test c.test\noptions ndots:5\noptions edns0\nunknown x\n");
  EXPECT_EQ(dns.nameservers, (std::vector<std::string>{"10.0.0.1", "10.0.0.2"}));
  EXPECT_EQ(dns.domain, "a.test");
  EXPECT_EQ(dns.search, (std::vector<std::string>{"b.test", "c.test"}));
  EXPECT_EQ(dns.options, (std::vector<std::string>{"ndots:5", "edns0"}));
  EXPECT_TRUE(parse_resolv_conf("").empty());
}

} // namespace
} // namespace sluice::ipam
