// What we encode is what we decode; and no message, however broken, is read beyond its end.
#include "kernel/rtnl/decode.hpp"
#include "kernel/rtnl/encode.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <random>

namespace sluice::kernel::rtnl {
namespace {

IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }
Cidr cidr(const char *text) { return Cidr::parse(text).value(); }

using Bytes = std::vector<std::uint8_t>;

/// The first message that asks for `op`.
Bytes message_of(const RtnlOp &op) {
  auto messages = encode(op, {{"br", IfIndex(3)}});
  const auto bytes = messages.value().front().bytes();
  return {bytes.begin(), bytes.end()};
}
const nlmsghdr &header_of(const Bytes &bytes) {
  return *reinterpret_cast<const nlmsghdr *>(bytes.data());
}

Route full_route() {
  return {.destination = cidr("10.1.0.0/16"),
          .gateway = ip("192.0.2.1"),
          .link = IfIndex(3),
          .preferred_source = ip("192.0.2.9"),
          .table = 1000,
          .priority = 5,
          .onlink = true,
          .mtu_bytes = 1400,
          .advmss = 1360};
}

/// A route with two next hops, of which the second has a gateway of the other family.
Bytes multipath_message() {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 16;
  Message message(RTM_NEWROUTE, 0, header);
  message.put(RTA_DST, ip("10.1.0.0"));
  message.nest(RTA_MULTIPATH, [&] {
    struct {
      rtnexthop hop;
      nlattr gateway;
      std::uint8_t address[4];
    } first{{sizeof first, 0, 0, 7}, {8, RTA_GATEWAY}, {192, 0, 2, 1}};
    struct {
      rtnexthop hop;
      nlattr via;
      std::uint16_t family;
      std::uint8_t address[16];
      std::uint8_t padding[2];
    } second{{sizeof second, RTNH_F_ONLINK, 0, 8}, {22, RTA_VIA}, AF_INET6, {0xfe, 0x80}, {}};
    message.append(first);
    message.append(second);
  });
  const auto bytes = message.bytes();
  return {bytes.begin(), bytes.end()};
}

void decode_everything(const Bytes &bytes) {
  (void)decode_link(header_of(bytes));
  (void)decode_address(header_of(bytes));
  (void)decode_routes(header_of(bytes));
  (void)decode_neighbour(header_of(bytes));
}

std::vector<Bytes> samples() {
  return {
      message_of(AddRoute{.route = full_route()}),
      message_of(AddRoute{.route = {.destination = cidr("10.0.0.0/8"), .gateway = ip("fe80::1")}}),
      multipath_message(),
      message_of(AddAddress{.link = IfIndex(3),
                            .address = InterfaceAddress::parse("2001:db8::5/64").value()}),
      message_of(CreateVeth{.name = "a", .peer_name = "b", .master = LinkRef("br")}),
      message_of(SetLink{.link = "a", .hairpin = true}),
      message_of(SetLink{.link = "br", .netfilter = true}),
      message_of(AddNeighbour{
          {.link = IfIndex(3), .ip = ip("192.0.2.9"), .mac = MacAddress::from_seed(1)}}),
  };
}

TEST(kernel_rtnl_codec, what_is_encoded_is_decoded) {
  const auto route = full_route();
  EXPECT_EQ(decode_routes(header_of(message_of(AddRoute{.route = route}))),
            std::vector<Route>{route});
  const Route v6{.destination = cidr("::/0"), .gateway = ip("2001:db8::1"), .link = IfIndex(3)};
  EXPECT_EQ(decode_routes(header_of(message_of(AddRoute{.route = v6}))), std::vector<Route>{v6});
  const Neighbour neighbour{
      .link = IfIndex(3), .ip = ip("192.0.2.9"), .mac = MacAddress::from_seed(1)};
  EXPECT_EQ(decode_neighbour(header_of(message_of(AddNeighbour{neighbour}))), neighbour);
  const auto veth = decode_link(
      header_of(message_of(CreateVeth{.name = "a", .peer_name = "b", .mtu_bytes = 1400})));
  ASSERT_TRUE(veth);
  EXPECT_EQ(veth->name, "a");
  EXPECT_EQ(veth->kind, "veth");
  EXPECT_EQ(veth->mtu_bytes, 1400U);
}

TEST(kernel_rtnl_codec, a_port_joins_a_vlan_in_the_words_of_the_bridge_family) {
  const auto body = [](const RtnlOp &op) {
    auto bytes = message_of(op);
    bytes.erase(bytes.begin(), bytes.begin() + NLMSG_HDRLEN);
    return bytes;
  };
  // ifinfomsg{AF_BRIDGE, index 3}, IFLA_AF_SPEC { IFLA_BRIDGE_VLAN_INFO { flags, vid } }
  const Bytes access = {7, 0, 0,  0, 3,  0,   0, 0, 0, 0, 0, 0, 0,   0,
                        0, 0, 12, 0, 26, 128, 8, 0, 2, 0, 6, 0, 100, 0};
  EXPECT_EQ(body(AddPortVlan{.port = IfIndex(3), .vlan = 100, .native = true}), access);
  EXPECT_EQ(header_of(message_of(AddPortVlan{.port = "br", .vlan = 7})).nlmsg_type, RTM_SETLINK);
  auto tagged = access;
  tagged[24] = 0;
  EXPECT_EQ(body(AddPortVlan{.port = "br", .vlan = 100}), tagged);
  EXPECT_EQ(body(DeletePortVlan{.port = "br", .vlan = 100}), tagged);
  EXPECT_EQ(header_of(message_of(DeletePortVlan{.port = "br", .vlan = 7})).nlmsg_type, RTM_DELLINK);
}

TEST(kernel_rtnl_codec, each_next_hop_is_a_route) {
  const auto routes = decode_routes(header_of(multipath_message()));
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].gateway, ip("192.0.2.1"));
  EXPECT_EQ(routes[0].link, IfIndex(7));
  EXPECT_FALSE(routes[0].onlink);
  EXPECT_EQ(routes[1].gateway, ip("fe80::"));
  EXPECT_EQ(routes[1].link, IfIndex(8));
  EXPECT_TRUE(routes[1].onlink);
}

TEST(kernel_rtnl_codec, a_message_that_is_cut_off_is_left_out_or_read_up_to_there) {
  for (const auto &sample : samples())
    for (std::size_t size = sizeof(nlmsghdr); size <= sample.size(); ++size) {
      Bytes cut(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(size));
      const auto length = static_cast<std::uint32_t>(size);
      std::memcpy(cut.data(), &length, sizeof length);
      decode_everything(cut);
    }
}

TEST(kernel_rtnl_codec, broken_lengths_inside_do_no_harm) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const auto &sample : samples())
    for (int round = 0; round < 2000; ++round) {
      auto broken = sample;
      for (int i = 0; i < 3; ++i)
        broken[sizeof(nlmsghdr) + random() % (broken.size() - sizeof(nlmsghdr))] =
            static_cast<std::uint8_t>(random() % 2 == 0 ? random() % 8 : random());
      decode_everything(broken);
    }
}

} // namespace
} // namespace sluice::kernel::rtnl
