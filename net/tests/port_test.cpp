#include "net/mac_address.hpp"
#include "net/port.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(net_port, only_1_to_65535_in_plain_decimal) {
  EXPECT_EQ(parse_port("1")->value, 1);
  EXPECT_EQ(parse_port("65535")->value, 65535);
  for (const auto *bad : {"", "0", "65536", "-1", "+1", "080", "80 ", "0x50", "http"})
    EXPECT_FALSE(parse_port(bad)) << bad;
}

TEST(net_protocol, names_are_read_in_any_case) {
  EXPECT_EQ(parse_protocol("TCP").value(), Protocol::tcp);
  EXPECT_EQ(parse_protocol("udp").value(), Protocol::udp);
  EXPECT_EQ(parse_protocol("Sctp").value(), Protocol::sctp);
  EXPECT_FALSE(parse_protocol("icmp"));
  EXPECT_FALSE(parse_protocol("TC"));
  EXPECT_EQ(name_of(Protocol::sctp), "SCTP");
}

TEST(net_socket_address, v6_needs_brackets) {
  EXPECT_EQ(SocketAddress::parse("10.0.0.1:80")->str(), "10.0.0.1:80");
  EXPECT_EQ(SocketAddress::parse("[2001:db8::1]:53")->str(), "[2001:db8::1]:53");
  for (const auto *bad : {"2001:db8::1:53", "10.0.0.1", "10.0.0.1:", ":80", "[::1]", "host:80"})
    EXPECT_FALSE(SocketAddress::parse(bad)) << bad;
}

TEST(net_mac_address, parse_then_print_is_canonical) {
  EXPECT_EQ(MacAddress::parse("02:AB:cd:00:00:01")->str(), "02:ab:cd:00:00:01");
  for (const auto *bad :
       {"", "02:ab:cd:00:00", "02-ab-cd-00-00-01", "02:ab:cd:00:00:0g", "2:ab:cd:00:00:011"})
    EXPECT_FALSE(MacAddress::parse(bad)) << bad;
}

TEST(net_mac_address, made_from_a_seed_is_local_and_unicast) {
  for (const std::uint64_t seed :
       {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x1234567890ab}})
    EXPECT_EQ(MacAddress::from_seed(seed).bytes()[0] & 3, 2);
}

} // namespace
} // namespace sluice
