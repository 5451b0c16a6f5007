#include "kernel/rtnl.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel {
namespace {

IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }
Cidr cidr(const char *text) { return Cidr::parse(text).value(); }
InterfaceAddress address(const char *text) { return InterfaceAddress::parse(text).value(); }

TEST(kernel_rtnl_text, operations_read_like_ip_commands) {
  const auto mac = MacAddress::parse("02:00:00:00:00:01").value();
  struct Case {
    const char *text;
    RtnlOp op;
    int line;
  };
  const Case cases[] = {
      {"link add cni0 type bridge mtu 1500 up", CreateBridge{.name = "cni0", .mtu_bytes = 1500},
       __LINE__},
      {"link add veth1 index 100 type veth mtu 1450 master cni0 up peer eth0 netns fd 7",
       CreateVeth{.name = "veth1",
                  .peer_name = "eth0",
                  .peer_netns_fd = 7,
                  .mtu_bytes = 1450,
                  .index = IfIndex(100),
                  .master = LinkRef("cni0")},
       __LINE__},
      {"link set eth0 up address 02:00:00:00:00:01",
       SetLink{.link = "eth0", .up = true, .mac = mac}, __LINE__},
      {"link set #4 nomaster hairpin off",
       SetLink{.link = IfIndex(4), .master = LinkRef(IfIndex(0)), .hairpin = false}, __LINE__},
      {"link del veth1", DeleteLink{.link = "veth1"}, __LINE__},
      {"link add cni0 type bridge up vlan_filtering 1",
       CreateBridge{.name = "cni0", .vlan_filtering = true}, __LINE__},
      {"bridge vlan add dev veth1 vid 100 pvid untagged",
       AddPortVlan{.port = "veth1", .vlan = 100, .native = true}, __LINE__},
      {"bridge vlan add dev #4 vid 101", AddPortVlan{.port = IfIndex(4), .vlan = 101}, __LINE__},
      {"bridge vlan del dev veth1 vid 1", DeletePortVlan{.port = "veth1", .vlan = 1}, __LINE__},
      {"address add 10.1.0.5/24 dev eth0",
       AddAddress{.link = "eth0", .address = address("10.1.0.5/24")}, __LINE__},
      {"address add 2001:db8::5/64 dev eth0 nodad",
       AddAddress{.link = "eth0", .address = address("2001:db8::5/64")}, __LINE__},
      {"address del 10.1.0.5/24 dev #3",
       DeleteAddress{.link = IfIndex(3), .address = address("10.1.0.5/24")}, __LINE__},
      {"route add 10.244.1.0/24 via 192.0.2.12 proto 83",
       AddRoute{.route = {.destination = cidr("10.244.1.0/24"), .gateway = ip("192.0.2.12")}},
       __LINE__},
      {"route replace default via 2001:db8::1 dev eth0 proto 83",
       AddRoute{.route = {.destination = cidr("::/0"), .gateway = ip("2001:db8::1")},
                .existing = Existing::replace,
                .link_name = "eth0"},
       __LINE__},
      {"route del blackhole 10.9.0.0/16 proto 83 table 100",
       DeleteRoute{.route = {.destination = cidr("10.9.0.0/16"), .table = 100, .type = 6}},
       __LINE__},
      {"neigh replace 10.0.0.9 lladdr 02:00:00:00:00:01 dev #3",
       AddNeighbour{.neighbour = {.link = IfIndex(3), .ip = ip("10.0.0.9"), .mac = mac}}, __LINE__},
      {"neigh del proxy 2001:db8::9 dev #3",
       DeleteNeighbour{.neighbour = {.link = IfIndex(3), .ip = ip("2001:db8::9"), .proxy = true}},
       __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    EXPECT_EQ(to_string(c.op), c.text);
  }
}

TEST(kernel_rtnl_text, a_batch_is_one_line_an_operation) {
  RtnlBatch batch;
  batch.add(DeleteLink{.link = "a"}).barrier().add(DeleteLink{.link = "b"});
  EXPECT_EQ(batch.str(), "link del a\nlink del b\n");
  EXPECT_FALSE(batch.has_barrier_before(0));
  EXPECT_TRUE(batch.has_barrier_before(1));
}

} // namespace
} // namespace sluice::kernel
