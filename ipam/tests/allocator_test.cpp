#include "ipam/allocator.hpp"

#include <gtest/gtest.h>

namespace sluice::ipam {
namespace {

IpAddress ip(const std::string &text) { return IpAddress::parse(text).value(); }

Range range(const char *subnet, const char *start = nullptr, const char *end = nullptr) {
  const auto network = Cidr::parse(subnet).value();
  const auto first = network.first().advanced(1);
  return {network, start ? ip(start) : first,
          end ? ip(end) : network.last().advanced(network.family() == Family::ipv4 ? -1 : 0),
          first};
}

const cni::Attachment kPod{"pod", "eth0"};

struct RoundRobinCase {
  const char *name;
  std::vector<Range> ranges;
  const char *last; // "": none
  std::vector<const char *> taken;
  const char *expected; // nullptr: full
  int line;
};

const RoundRobinCase kRoundRobin[] = {
    {"the first address is behind the gateway",
     {range("10.0.0.0/29")},
     "",
     {},
     "10.0.0.2",
     __LINE__},
    {"a taken one is passed over", {range("10.0.0.0/29")}, "", {"10.0.0.2"}, "10.0.0.3", __LINE__},
    {"it goes on after the last one", {range("10.0.0.0/29")}, "10.0.0.4", {}, "10.0.0.5", __LINE__},
    {"it wraps at the end", {range("10.0.0.0/29")}, "10.0.0.6", {}, "10.0.0.2", __LINE__},
    {"last out of range begins at the start",
     {range("10.0.0.0/29")},
     "10.9.0.6",
     {},
     "10.0.0.2",
     __LINE__},
    {"the last one itself comes at the very end",
     {range("10.0.0.0/29")},
     "10.0.0.4",
     {"10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6"},
     "10.0.0.4",
     __LINE__},
    {"a full set",
     {range("10.0.0.0/29")},
     "10.0.0.4",
     {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"},
     nullptr,
     __LINE__},
    {"a /30 has one address", {range("10.0.0.0/30")}, "10.0.0.2", {}, "10.0.0.2", __LINE__},
    {"a full /30", {range("10.0.0.0/30")}, "", {"10.0.0.2"}, nullptr, __LINE__},
    {"from one range to the next",
     {range("10.0.0.0/30"), range("10.0.1.0/30")},
     "10.0.0.2",
     {},
     "10.0.1.2",
     __LINE__},
    {"and back to the first",
     {range("10.0.0.0/30"), range("10.0.1.0/30")},
     "10.0.1.2",
     {},
     "10.0.0.2",
     __LINE__},
    {"two full ranges",
     {range("10.0.0.0/30"), range("10.0.1.0/30")},
     "",
     {"10.0.0.2", "10.0.1.2"},
     nullptr,
     __LINE__},
    {"a gateway in the middle is passed over",
     {{Cidr::parse("10.0.0.0/24").value(), ip("10.0.0.4"), ip("10.0.0.6"), ip("10.0.0.5")}},
     "10.0.0.4",
     {},
     "10.0.0.6",
     __LINE__},
    {"a range of the gateway alone",
     {{Cidr::parse("10.0.0.0/24").value(), ip("10.0.0.5"), ip("10.0.0.5"), ip("10.0.0.5")}},
     "",
     {},
     nullptr,
     __LINE__},
    {"a range of one address",
     {range("10.0.0.0/24", "10.0.0.9", "10.0.0.9")},
     "10.0.0.9",
     {},
     "10.0.0.9",
     __LINE__},
    {"IPv6 uses its last address",
     {range("2001:db8::/126")},
     "2001:db8::2",
     {},
     "2001:db8::3",
     __LINE__},
    {"the end of the address space",
     {range("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126")},
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     {},
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
     __LINE__},
};

TEST(ipam_allocator, addresses_go_round_in_order) {
  for (const auto &c : kRoundRobin) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    IpamConfig config;
    config.sets.push_back(make_range_set(c.ranges, "ranges").value());
    std::vector<Record> records;
    for (const auto *taken : c.taken)
      records.push_back({ip(taken), "other", "eth0"});
    const auto last = *c.last ? std::optional(ip(c.last)) : std::nullopt;
    const auto got = choose(config, {last}, records, kPod);
    if (c.expected) {
      ASSERT_TRUE(got) << got.error().message();
      EXPECT_EQ(got->at(0).ip.str(), c.expected);
      continue;
    }
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(cni::Code::try_again));
    EXPECT_TRUE(got.error().message().starts_with("no IP addresses available in range set: "));
  }
}

IpamConfig dual() {
  IpamConfig config;
  config.sets.push_back(RangeSet({range("10.0.0.0/24")}));
  config.sets.push_back(RangeSet({range("fd00::/64")}));
  return config;
}

struct RequestCase {
  const char *name;
  std::vector<const char *> requested, taken;
  std::vector<const char *> expected; // empty: refused with 103
  const char *mentions;
  int line;
};

const RequestCase kRequests[] = {
    {"one of two sets", {"10.0.0.77"}, {}, {"10.0.0.77", "fd00::2"}, "", __LINE__},
    {"both, in any order", {"fd00::77", "10.0.0.77"}, {}, {"10.0.0.77", "fd00::77"}, "", __LINE__},
    {"taken", {"10.0.0.77"}, {"10.0.0.77"}, {}, "10.0.0.77 is in use", __LINE__},
    {"the gateway", {"10.0.0.1"}, {}, {}, "is the gateway", __LINE__},
    {"in no range", {"10.7.0.1", "10.8.0.1"}, {}, {}, "10.7.0.1, 10.8.0.1", __LINE__},
    {"two of one set", {"10.0.0.77", "10.0.0.78"}, {}, {}, "10.0.0.78", __LINE__},
    {"the broadcast address", {"10.0.0.255"}, {}, {}, "10.0.0.255", __LINE__},
};

TEST(ipam_allocator, requested_addresses_are_granted_or_all_is_refused) {
  for (const auto &c : kRequests) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto config = dual();
    for (const auto *text : c.requested)
      config.requested.push_back(ip(text));
    std::vector<Record> records;
    for (const auto *text : c.taken)
      records.push_back({ip(text), "other", "eth0"});
    const auto got = choose(config, {std::nullopt, std::nullopt}, records, kPod);
    if (!c.expected.empty()) {
      ASSERT_TRUE(got) << got.error().message();
      ASSERT_EQ(got->size(), c.expected.size());
      for (std::size_t i = 0; i < got->size(); ++i)
        EXPECT_EQ(got->at(i).ip.str(), c.expected[i]);
      continue;
    }
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(cni::Code::address_unavailable));
    EXPECT_NE(got.error().message().find(c.mentions), std::string::npos) << got.error().message();
  }
}

TEST(ipam_allocator, one_attachment_holds_one_address_of_a_set) {
  const auto second =
      choose(dual(), {std::nullopt, std::nullopt}, {{ip("10.0.0.9"), "pod", "eth0"}}, kPod);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(cni::Code::already_exists));
  EXPECT_NE(second.error().message().find("holds 10.0.0.9"), std::string::npos);
  // An old record has no interface name; another interface of the pod is another attachment.
  EXPECT_FALSE(choose(dual(), {std::nullopt, std::nullopt}, {{ip("10.0.0.9"), "pod", ""}}, kPod));
  EXPECT_TRUE(
      choose(dual(), {std::nullopt, std::nullopt}, {{ip("10.0.0.9"), "pod", "eth1"}}, kPod));
}

TEST(ipam_allocator, an_interrupted_write_is_free) {
  const auto got = choose(dual(), {ip("10.0.0.8"), std::nullopt}, {{ip("10.0.0.9"), "", ""}}, kPod);
  EXPECT_EQ(got->at(0).ip.str(), "10.0.0.9");
}

} // namespace
} // namespace sluice::ipam
