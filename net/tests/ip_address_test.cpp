#include "net/ip_address.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

struct ParseCase {
  const char *name, *text, *canonical; // canonical == nullptr: must be refused
  int line;
};

const ParseCase kParseCases[] = {
    {"v4 is kept", "192.0.2.1", "192.0.2.1", __LINE__},
    {"v6 is compressed", "2001:db8:0:0::1", "2001:db8::1", __LINE__},
    {"v6 is lower case", "2001:DB8::A", "2001:db8::a", __LINE__},
    {"v4-mapped v6 is the v4 address", "::ffff:192.0.2.1", "192.0.2.1", __LINE__},
    {"unspecified v6", "::", "::", __LINE__},
    {"leading zero is not octal, it is an error", "010.0.0.1", nullptr, __LINE__},
    {"three quads", "10.0.0", nullptr, __LINE__},
    {"five quads", "10.0.0.1.2", nullptr, __LINE__},
    {"256", "10.0.0.256", nullptr, __LINE__},
    {"empty quad", "10..0.1", nullptr, __LINE__},
    {"trailing dot", "10.0.0.1.", nullptr, __LINE__},
    {"blank before", " 10.0.0.1", nullptr, __LINE__},
    {"sign", "10.0.0.+1", nullptr, __LINE__},
    {"zone", "fe80::1%eth0", nullptr, __LINE__},
    {"brackets", "[::1]", nullptr, __LINE__},
    {"two double colons", "1::2::3", nullptr, __LINE__},
    {"empty", "", nullptr, __LINE__},
    {"a very long text", "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", nullptr,
     __LINE__},
};

TEST(net_ip_address, parse_then_print_is_canonical) {
  for (const auto &c : kParseCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = IpAddress::parse(c.text);
    if (!c.canonical) {
      EXPECT_FALSE(got);
      continue;
    }
    ASSERT_TRUE(got) << got.error().what();
    EXPECT_EQ(got->str(), c.canonical);
    EXPECT_EQ(IpAddress::parse(got->str()).value(), *got);
  }
}

TEST(net_ip_address, sloppy_text_of_old_objects_is_read_as_decimal) {
  EXPECT_EQ(IpAddress::parse_sloppy("172.30.0.041").value().str(), "172.30.0.41");
  EXPECT_EQ(IpAddress::parse_sloppy("010.180.00.001").value().str(), "10.180.0.1");
  EXPECT_FALSE(IpAddress::parse_sloppy("10.0.0.300"));
}

TEST(net_ip_address, v4_sorts_before_v6_and_by_number) {
  const auto v4 = IpAddress::parse("255.255.255.255").value();
  const auto v6 = IpAddress::parse("::1").value();
  EXPECT_LT(v4, v6);
  EXPECT_LT(IpAddress::parse("9.0.0.0").value(), IpAddress::parse("10.0.0.0").value());
}

TEST(net_ip_address, advancing_carries_over_bytes_in_both_directions) {
  EXPECT_EQ(IpAddress::parse("10.0.0.255").value().advanced(1).str(), "10.0.1.0");
  EXPECT_EQ(IpAddress::parse("10.0.1.0").value().advanced(-1).str(), "10.0.0.255");
  EXPECT_EQ(IpAddress::parse("2001:db8::ffff").value().advanced(1).str(), "2001:db8::1:0");
  EXPECT_EQ(IpAddress::parse("::").value().advanced(-1).str(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(net_ip_address, kinds_are_told_apart_in_both_families) {
  EXPECT_TRUE(IpAddress::parse("127.5.0.1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("::2")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("169.254.9.9")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("fe80::1")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("224.0.0.1")->is_multicast());
  EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
}

const ParseCase kCidrCases[] = {
    {"v4 network", "10.0.0.0/8", "10.0.0.0/8", __LINE__},
    {"everything", "0.0.0.0/0", "0.0.0.0/0", __LINE__},
    {"v6 network", "2001:db8:0::/64", "2001:db8::/64", __LINE__},
    {"odd length", "10.1.128.0/17", "10.1.128.0/17", __LINE__},
    {"host bits set", "10.0.0.1/8", nullptr, __LINE__},
    {"no length", "10.0.0.0", nullptr, __LINE__},
    {"length too big", "10.0.0.0/33", nullptr, __LINE__},
    {"v6 length too big", "2001:db8::/129", nullptr, __LINE__},
    {"negative length", "10.0.0.0/-1", nullptr, __LINE__},
    {"leading zero in length", "10.0.0.0/08", nullptr, __LINE__},
    {"empty length", "10.0.0.0/", nullptr, __LINE__},
    {"blank after", "10.0.0.0/8 ", nullptr, __LINE__},
};

TEST(net_cidr, parse_is_strict_about_host_bits_and_length) {
  for (const auto &c : kCidrCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = Cidr::parse(c.text);
    if (!c.canonical) {
      EXPECT_FALSE(got);
      continue;
    }
    ASSERT_TRUE(got) << got.error().what();
    EXPECT_EQ(got->str(), c.canonical);
  }
  EXPECT_NE(Cidr::parse("10.0.0.1/8").error().what().find("the network is 10.0.0.0/8"),
            std::string::npos);
}

TEST(net_cidr, contains_its_own_family_only) {
  const auto network = Cidr::parse("10.1.0.0/16").value();
  EXPECT_TRUE(network.contains(IpAddress::parse("10.1.255.255").value()));
  EXPECT_FALSE(network.contains(IpAddress::parse("10.2.0.0").value()));
  EXPECT_FALSE(Cidr::parse("::/0")->contains(IpAddress::parse("10.1.0.1").value()));
  EXPECT_TRUE(network.contains(Cidr::parse("10.1.2.0/24").value()));
  EXPECT_FALSE(Cidr::parse("10.1.2.0/24")->contains(network));
  EXPECT_TRUE(Cidr::parse("10.1.2.0/24")->overlaps(network));
}

TEST(net_cidr, subnets_are_counted_and_numbered) {
  const auto network = Cidr::parse("10.244.0.0/16").value();
  EXPECT_EQ(network.subnet_count(24), 256U);
  EXPECT_EQ(network.subnet(24, 0)->str(), "10.244.0.0/24");
  EXPECT_EQ(network.subnet(24, 255)->str(), "10.244.255.0/24");
  EXPECT_EQ(network.subnet(24, 256).error().code(), Errc::exhausted);
  EXPECT_EQ(network.subnet_count(8), 0U);
  EXPECT_EQ(Cidr::parse("fd00:10:244::/48")->subnet(64, 0x1ff)->str(), "fd00:10:244:1ff::/64");
  EXPECT_EQ(Cidr::parse("::/0")->subnet(0, 0)->str(), "::/0");
  EXPECT_EQ(Cidr::parse("::/0")->subnet(64, 1)->str(), "0:0:0:1::/64");
  EXPECT_EQ(network.last().str(), "10.244.255.255");
  EXPECT_EQ(network.netmask().str(), "255.255.0.0");
  EXPECT_EQ(Cidr::parse("10.0.0.0/20")->netmask().str(), "255.255.240.0");
}

TEST(net_cidr, lists_are_split_at_commas) {
  const auto list = parse_cidr_list("10.244.0.0/16, fd00::/48").value();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1].str(), "fd00::/48");
  EXPECT_TRUE(parse_cidr_list("")->empty());
  EXPECT_FALSE(parse_cidr_list("10.0.0.0/8,,10.1.0.0/16"));
}

TEST(net_interface_address, keeps_host_bits) {
  const auto address = InterfaceAddress::parse("10.0.0.5/24").value();
  EXPECT_EQ(address.str(), "10.0.0.5/24");
  EXPECT_EQ(address.network().str(), "10.0.0.0/24");
}

} // namespace
} // namespace sluice
