#include "kernel/tests/rtnl_rules.hpp"

#include <cerrno>

namespace sluice::kernel::testing {
namespace {

IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }
Cidr cidr(const char *text) { return Cidr::parse(text).value(); }
InterfaceAddress address(const char *text) { return InterfaceAddress::parse(text).value(); }

Route via(const char *destination, const char *gateway) {
  return {.destination = cidr(destination), .gateway = ip(gateway)};
}

} // namespace

/// A bridge "br" with 192.0.2.1/24 and 2001:db8::1/64, a veth pair va (up) and vb (down).
void RtnlRules::SetUp() {
  rtnl = GetParam()();
  ASSERT_TRUE(rtnl);
  const auto applied =
      rtnl->apply(RtnlBatch()
                      .add(CreateBridge{.name = "br"})
                      .add(CreateVeth{.name = "va", .peer_name = "vb"})
                      .add(SetLink{.link = "vb", .up = false})
                      .add(AddAddress{.link = "br", .address = address("192.0.2.1/24")})
                      .add(AddAddress{.link = "br", .address = address("2001:db8::1/64")}));
  ASSERT_TRUE(applied) << applied.error().what();
}

int RtnlRules::try_one(RtnlOp op) {
  const auto text = to_string(op);
  const auto applied = rtnl->apply(RtnlBatch().add(std::move(op)));
  if (applied)
    return 0;
  EXPECT_EQ(applied.error().what().rfind(text, 0), 0U) << applied.error().what();
  return applied.error().sys();
}

IfIndex RtnlRules::index_of(const std::string &name) {
  const auto link = rtnl->read_link(LinkRef(name));
  return link ? link->index : IfIndex(0);
}

std::vector<Route> RtnlRules::our_routes(Family family) {
  auto routes = rtnl->read_routes(family).value();
  std::erase_if(routes, [](const Route &r) { return r.protocol != kRouteProtocol; });
  std::sort(routes.begin(), routes.end());
  return routes;
}

TEST_P(RtnlRules, each_operation_is_accepted_or_refused_as_the_kernel_does) {
  const auto br = index_of("br");
  const auto nobody = IfIndex(9999);
  const auto mac = MacAddress::from_seed(1);
  struct Case {
    RtnlOp op;
    int err;
    int line;
  };
  auto elsewhere = via("10.7.0.0/16", "192.0.2.9");
  elsewhere.link = index_of("vb");
  const Route down{.destination = cidr("10.7.0.0/16"), .link = index_of("vb"), .scope = 253};
  const Route missing{.destination = cidr("10.7.0.0/16"), .link = nobody, .scope = 253};
  auto missing_v6 = via("2001:db8:7::/64", "2001:db8::9");
  missing_v6.link = nobody;
  auto foreign_source = via("10.7.0.0/16", "192.0.2.9");
  foreign_source.preferred_source = ip("198.51.100.1");
  auto onlink = via("10.8.0.0/16", "198.51.100.1");
  onlink.link = br;
  onlink.onlink = true;
  auto metric = via("10.1.0.0/16", "192.0.2.9");
  metric.priority = 5;
  const Case cases[] = {
      {CreateBridge{.name = "br"}, EEXIST, __LINE__},
      {CreateVeth{.name = "va", .peer_name = "other"}, EEXIST, __LINE__},
      {CreateVeth{.name = "other", .peer_name = "vb"}, EEXIST, __LINE__},
      {CreateVeth{.name = "other", .peer_name = "peer", .index = br}, EEXIST, __LINE__},
      {SetLink{.link = "nobody", .up = true}, ENODEV, __LINE__},
      {SetLink{.link = nobody, .up = true}, ENODEV, __LINE__},
      {SetLink{.link = "va", .new_name = "br"}, EEXIST, __LINE__},
      {SetLink{.link = "va", .master = LinkRef("nobody")}, ENODEV, __LINE__},
      {SetLink{.link = "va", .master = LinkRef("br")}, 0, __LINE__},
      {SetLink{.link = "va", .hairpin = true}, 0, __LINE__},
      {DeleteLink{.link = "nobody"}, ENODEV, __LINE__},
      {AddAddress{.link = "nobody", .address = address("10.0.0.1/8")}, ENODEV, __LINE__},
      {AddAddress{.link = "br", .address = address("192.0.2.1/24")}, EEXIST, __LINE__},
      {AddAddress{.link = "br", .address = address("192.0.2.1/24"), .replace = true}, 0, __LINE__},
      {DeleteAddress{.link = "br", .address = address("10.0.0.1/8")}, EADDRNOTAVAIL, __LINE__},
      {AddRoute{.route = via("10.1.0.0/16", "192.0.2.2")}, 0, __LINE__},
      {AddRoute{.route = via("10.1.0.0/16", "192.0.2.2")}, EEXIST, __LINE__},
      {AddRoute{.route = via("10.1.0.0/16", "192.0.2.3")}, EEXIST, __LINE__},
      {AddRoute{.route = metric}, 0, __LINE__},
      {AddRoute{.route = via("10.1.0.0/16", "192.0.2.3"), .existing = Existing::replace}, 0,
       __LINE__},
      {AddRoute{.route = via("10.2.0.0/16", "198.51.100.1")}, ENETUNREACH, __LINE__},
      {AddRoute{.route = via("2001:db8:2::/64", "2001:db8:9::1")}, EHOSTUNREACH, __LINE__},
      {AddRoute{.route = via("2001:db8:1::/64", "2001:db8::2")}, 0, __LINE__},
      {AddRoute{.route = via("2001:db8:1::/64", "2001:db8::3")}, EEXIST, __LINE__},
      {AddRoute{.route = elsewhere}, ENETUNREACH, __LINE__},
      {AddRoute{.route = down}, ENETDOWN, __LINE__},
      {AddRoute{.route = missing}, ENODEV, __LINE__},
      {AddRoute{.route = missing_v6}, ENODEV, __LINE__},
      {AddRoute{.route = foreign_source}, EINVAL, __LINE__},
      {AddRoute{.route = onlink}, 0, __LINE__},
      {AddRoute{.route = {.destination = cidr("10.9.0.0/16"), .type = 6}}, 0, __LINE__},
      {DeleteRoute{.route = via("10.66.0.0/16", "192.0.2.2")}, ESRCH, __LINE__},
      {DeleteRoute{.route = via("10.1.0.0/16", "192.0.2.200")}, ESRCH, __LINE__},
      {DeleteRoute{.route = {.destination = cidr("10.1.0.0/16")}}, 0, __LINE__},
      {AddNeighbour{{.link = nobody, .ip = ip("192.0.2.9"), .mac = mac}}, ENODEV, __LINE__},
      {AddNeighbour{{.link = br, .ip = ip("192.0.2.9"), .mac = mac}}, 0, __LINE__},
      {DeleteNeighbour{{.link = br, .ip = ip("192.0.2.77")}}, ENOENT, __LINE__},
      {DeleteNeighbour{{.link = br, .ip = ip("192.0.2.9")}}, 0, __LINE__},
      {DeleteLink{.link = "lo"}, EOPNOTSUPP, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE("line " + std::to_string(c.line) + ": " + to_string(c.op));
    EXPECT_EQ(try_one(c.op), c.err);
  }
}

TEST_P(RtnlRules, a_route_is_stored_with_the_link_of_its_gateway) {
  EXPECT_EQ(try_one(AddRoute{.route = via("10.1.0.0/16", "192.0.2.2")}), 0);
  EXPECT_EQ(try_one(AddRoute{.route = via("2001:db8:1::/64", "2001:db8::2")}), 0);
  auto v4 = via("10.1.0.0/16", "192.0.2.2");
  v4.link = index_of("br");
  EXPECT_EQ(our_routes(Family::ipv4), std::vector<Route>{v4});
  auto v6 = via("2001:db8:1::/64", "2001:db8::2");
  v6.link = index_of("br");
  v6.priority = 1024;
  EXPECT_EQ(our_routes(Family::ipv6), std::vector<Route>{v6});
}

TEST_P(RtnlRules, routes_go_away_with_their_link_and_do_not_come_back) {
  EXPECT_EQ(try_one(AddRoute{.route = via("10.1.0.0/16", "192.0.2.2")}), 0);
  EXPECT_EQ(try_one(SetLink{.link = "br", .up = false}), 0);
  EXPECT_TRUE(our_routes(Family::ipv4).empty());
  EXPECT_EQ(try_one(AddRoute{.route = via("10.1.0.0/16", "192.0.2.2")}), ENETUNREACH);
  EXPECT_EQ(try_one(SetLink{.link = "br", .up = true}), 0);
  EXPECT_TRUE(our_routes(Family::ipv4).empty());
  EXPECT_EQ(try_one(AddRoute{.route = via("10.1.0.0/16", "192.0.2.2")}), 0);
  EXPECT_EQ(try_one(DeleteLink{.link = "br"}), 0);
  EXPECT_TRUE(our_routes(Family::ipv4).empty());
}

TEST_P(RtnlRules, one_end_of_a_pair_takes_the_other_away) {
  EXPECT_EQ(rtnl->read_link(LinkRef("va"))->peer, index_of("vb"));
  EXPECT_EQ(try_one(DeleteLink{.link = "vb"}), 0);
  EXPECT_EQ(rtnl->read_link(LinkRef("va")).error().code(), Errc::not_found);
}

TEST_P(RtnlRules, a_barrier_holds_back_what_follows_a_refusal) {
  RtnlBatch batch;
  batch.add(DeleteLink{.link = "nobody"})
      .add(DeleteLink{.link = "vb"})
      .barrier()
      .add(DeleteLink{.link = "br"});
  const auto refused = rtnl->apply_each(batch);
  ASSERT_TRUE(refused);
  ASSERT_EQ(refused->size(), 1U);
  EXPECT_EQ(refused->front().operation, 0U);
  EXPECT_EQ(index_of("vb"), IfIndex(0));
  EXPECT_NE(index_of("br"), IfIndex(0));
}

} // namespace sluice::kernel::testing
