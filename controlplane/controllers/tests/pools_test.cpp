#include "controlplane/controllers/pools.hpp"

#include <gtest/gtest.h>

namespace sluice::controlplane {
namespace {

TEST(controllers_pools, automatic_addresses_come_from_above_the_band_while_there_is_room) {
  Random random(7);
  AddressPool pool(*Cidr::parse("10.96.0.0/24")); // 254 addresses, band 16
  for (int i = 0; i < 254 - 16; ++i) {
    const auto ip = pool.take_any(random);
    ASSERT_TRUE(ip);
    EXPECT_GT(ip->v4() & 0xff, 16U) << ip->str();
  }
  for (int i = 0; i < 16; ++i) {
    const auto ip = pool.take_any(random);
    ASSERT_TRUE(ip);
    EXPECT_LE(ip->v4() & 0xff, 16U) << ip->str();
  }
  const auto full = pool.take_any(random);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Errc::exhausted);
  pool.release(*IpAddress::parse("10.96.0.77"));
  EXPECT_EQ(pool.take_any(random)->str(), "10.96.0.77");
}

TEST(controllers_pools, an_address_is_given_once_and_only_from_the_range) {
  AddressPool pool(*Cidr::parse("10.96.0.0/24"));
  EXPECT_TRUE(pool.take(*IpAddress::parse("10.96.0.1")));
  EXPECT_EQ(pool.take(*IpAddress::parse("10.96.0.1")).error().code(), Errc::already_exists);
  for (const auto *outside : {"10.96.0.0", "10.96.0.255", "10.97.0.1", "fd00::1"})
    EXPECT_EQ(pool.take(*IpAddress::parse(outside)).error().code(), Errc::invalid_input) << outside;
  pool.release(*IpAddress::parse("10.96.0.1"));
  EXPECT_TRUE(pool.take(*IpAddress::parse("10.96.0.1")));
}

TEST(controllers_pools, ranges_of_any_size_work) {
  Random random(7);
  for (const auto *range : {"10.0.0.0/30", "10.0.0.0/8", "fd00::/126", "fd00::/64", "fd00::/108"}) {
    AddressPool pool(*Cidr::parse(range));
    const auto ip = pool.take_any(random);
    ASSERT_TRUE(ip) << range;
    EXPECT_TRUE(pool.range().contains(*ip)) << ip->str();
    EXPECT_FALSE(pool.take(*ip));
  }
  AddressPool none(*Cidr::parse("10.0.0.0/32"));
  EXPECT_FALSE(none.take_any(random));
}

TEST(controllers_pools, node_ports_keep_a_band_too) {
  Random random(7);
  PortPool pool(PortRange{});
  for (int i = 0; i < 500; ++i)
    EXPECT_GE(*pool.take_any(random), 30086); // 2768 ports, band 86
  EXPECT_TRUE(pool.take(30000));
  EXPECT_EQ(pool.take(30000).error().what(), "provided port is already allocated");
  EXPECT_EQ(pool.take(80).error().what(),
            "provided port is not in the valid range. The range of valid ports is 30000-32767");
}

TEST(controllers_pools, pod_cidrs_are_given_from_the_bottom_around_those_in_use) {
  SubnetPool pool(*Cidr::parse("10.244.0.0/22"), 24);
  EXPECT_TRUE(pool.occupy(*Cidr::parse("10.244.1.0/24")));
  EXPECT_FALSE(pool.occupy(*Cidr::parse("10.250.0.0/24")));
  EXPECT_EQ(pool.take_any()->str(), "10.244.0.0/24");
  EXPECT_EQ(pool.take_any()->str(), "10.244.2.0/24");
  EXPECT_EQ(pool.take_any()->str(), "10.244.3.0/24");
  const auto full = pool.take_any();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().what(), "no /24 is left in 10.244.0.0/22");
  pool.release(*Cidr::parse("10.244.2.0/24"));
  EXPECT_EQ(pool.take_any()->str(), "10.244.2.0/24");
}

TEST(controllers_pools, pod_cidrs_of_ipv6) {
  SubnetPool pool(*Cidr::parse("fd00:10:244::/56"), 64);
  EXPECT_TRUE(pool.occupy(*Cidr::parse("fd00:10:244::/64")));
  EXPECT_EQ(pool.take_any()->str(), "fd00:10:244:1::/64");
}

} // namespace
} // namespace sluice::controlplane
