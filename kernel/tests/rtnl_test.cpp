// Round trips against the real kernel in a fresh namespace, read back by ip(8) as well.
#include "kernel/netns.hpp"
#include "kernel/rtnl.hpp"

#include <array>
#include <cstdio>
#include <gtest/gtest.h>

namespace sluice::kernel {
namespace {

IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }
Cidr cidr(const char *text) { return Cidr::parse(text).value(); }
InterfaceAddress address(const char *text) { return InterfaceAddress::parse(text).value(); }

/// What a command prints inside `ns`.
std::string output_in(const NetNs &ns, const std::string &command) {
  return ns
      .run([&]() -> Result<std::string> {
        std::string text;
        auto *pipe = ::popen((command + " 2>&1").c_str(), "r");
        std::array<char, 4096> buffer{};
        for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
          text.append(buffer.data(), got);
        ::pclose(pipe);
        return text;
      })
      .value();
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class kernel_rtnl : public testing::Test {
protected:
  void SetUp() override {
    auto made = NetNs::create();
    ASSERT_TRUE(made) << made.error().what();
    ns.emplace(std::move(*made));
    auto opened = ns->run([] { return RtnlSocket::open(); });
    ASSERT_TRUE(opened) << opened.error().what();
    rtnl.emplace(std::move(*opened));
  }

  void apply(const RtnlBatch &batch) {
    const auto applied = rtnl->apply(batch);
    ASSERT_TRUE(applied) << applied.error().what();
  }
  /// A bridge "br" with 192.0.2.1/24, up.
  void make_bridge() {
    apply(RtnlBatch()
              .add(CreateBridge{.name = "br", .mtu_bytes = 1400, .alias = "made by a test"})
              .add(AddAddress{.link = "br", .address = address("192.0.2.1/24")})
              .add(AddAddress{.link = "br", .address = address("2001:db8::1/64")}));
  }
  IfIndex index_of(const char *name) {
    auto link = rtnl->read_link(LinkRef(name));
    EXPECT_TRUE(link) << link.error().what();
    return link ? link->index : IfIndex(0);
  }
  std::vector<Route> our_routes(Family family) {
    auto routes = rtnl->read_routes(family).value();
    std::erase_if(routes, [](const Route &r) { return r.protocol != kRouteProtocol; });
    return routes;
  }

  std::optional<NetNs> ns;
  std::optional<RtnlSocket> rtnl;
};

TEST_F(kernel_rtnl, a_bridge_is_born_as_asked) {
  make_bridge();
  const auto link = rtnl->read_link(LinkRef("br"));
  ASSERT_TRUE(link) << link.error().what();
  EXPECT_EQ(link->kind, "bridge");
  EXPECT_EQ(link->mtu_bytes, 1400U);
  EXPECT_EQ(link->alias, "made by a test");
  EXPECT_TRUE(link->up);
  EXPECT_EQ(*rtnl->read_link(LinkRef(link->index)), *link);
  const auto seen = output_in(*ns, "ip -d address show dev br");
  EXPECT_TRUE(contains(seen, "inet 192.0.2.1/24 scope global br")) << seen;
  EXPECT_TRUE(contains(seen, "inet6 2001:db8::1/64 scope global nodad")) << seen;
  EXPECT_TRUE(contains(seen, "alias made by a test")) << seen;
}

TEST_F(kernel_rtnl, a_name_that_is_taken_keeps_what_it_had) {
  make_bridge();
  const auto again = rtnl->apply(RtnlBatch().add(CreateBridge{.name = "br", .alias = "another"}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::already_exists);
  EXPECT_TRUE(contains(again.error().what(), "link add br type bridge")) << again.error().what();
  EXPECT_EQ(rtnl->read_link(LinkRef("br"))->alias, "made by a test");
}

TEST_F(kernel_rtnl, a_veth_is_born_in_the_pod_and_on_the_bridge) {
  make_bridge();
  const auto pod = NetNs::create();
  ASSERT_TRUE(pod) << pod.error().what();
  const auto mac = MacAddress::parse("02:00:00:00:00:05").value();
  apply(RtnlBatch()
            .add(CreateVeth{.name = "slc-host",
                            .peer_name = "eth0",
                            .peer_netns_fd = pod->fd(),
                            .mtu_bytes = 1400,
                            .peer_mac = mac,
                            .index = IfIndex(4711),
                            .master = LinkRef("br"),
                            .queues = 1})
            .barrier()
            .add(SetLink{.link = IfIndex(4711), .hairpin = true}));
  auto inside = pod->run([] { return RtnlSocket::open(); });
  ASSERT_TRUE(inside) << inside.error().what();
  const auto configured = inside->apply(
      RtnlBatch()
          .add(SetLink{.link = "eth0", .up = true})
          .add(AddAddress{.link = "eth0", .address = address("192.0.2.5/24")})
          .add(AddRoute{.route = {.destination = cidr("0.0.0.0/0"), .gateway = ip("192.0.2.1")},
                        .link_name = "eth0"}));
  ASSERT_TRUE(configured) << configured.error().what();

  const auto host = rtnl->read_link(LinkRef("slc-host"));
  const auto peer = inside->read_link(LinkRef("eth0"));
  ASSERT_TRUE(host && peer);
  EXPECT_EQ(host->index, IfIndex(4711));
  EXPECT_EQ(host->kind, "veth");
  EXPECT_EQ(host->master, index_of("br"));
  EXPECT_EQ(host->peer, peer->index);
  EXPECT_TRUE(host->peer_netns_id.has_value());
  EXPECT_TRUE(host->hairpin);
  EXPECT_TRUE(host->up);
  EXPECT_EQ(peer->mac, mac);
  EXPECT_EQ(peer->mtu_bytes, 1400U);
  EXPECT_TRUE(contains(output_in(*pod, "ping -c1 -W5 192.0.2.1"), "1 received"));

  apply(RtnlBatch().add(SetLink{.link = "slc-host", .hairpin = false, .isolated = true}));
  const auto seen = output_in(*ns, "ip -d link show dev slc-host");
  EXPECT_TRUE(contains(seen, "hairpin off")) << seen;
  EXPECT_TRUE(contains(seen, "isolated on")) << seen;
  EXPECT_TRUE(rtnl->read_link(LinkRef("slc-host"))->isolated);
  apply(RtnlBatch().add(DeleteLink{.link = "slc-host"}));
  EXPECT_EQ(inside->read_link(LinkRef("eth0")).error().code(), Errc::not_found);
}

TEST_F(kernel_rtnl, a_link_is_changed_only_where_asked) {
  make_bridge();
  apply(RtnlBatch()
            .add(SetLink{.link = "br", .promiscuous = true})
            .add(SetLink{.link = "br", .alias = "b"})
            .add(SetLink{.link = "br", .up = false}));
  auto link = *rtnl->read_link(LinkRef("br"));
  EXPECT_TRUE(link.promiscuous);
  EXPECT_FALSE(link.up);
  EXPECT_EQ(link.alias, "b");
  apply(RtnlBatch()
            .add(SetLink{.link = "br", .new_name = "br-new"})
            .add(AddAddress{.link = "br-new", .address = address("192.0.2.9/32")}));
  EXPECT_EQ(rtnl->read_link(LinkRef("br-new"))->index, link.index);
  EXPECT_EQ(rtnl->read_link(LinkRef("br")).error().code(), Errc::not_found);
}

TEST_F(kernel_rtnl, routes_are_read_back_as_they_were_added) {
  make_bridge();
  const auto br = index_of("br");
  const std::vector<Route> v4 = {
      {.destination = cidr("10.244.1.0/24"), .gateway = ip("192.0.2.12"), .link = br},
      {.destination = cidr("10.244.2.0/24"),
       .gateway = ip("198.51.100.1"),
       .link = br,
       .priority = 7,
       .onlink = true,
       .mtu_bytes = 1300,
       .advmss = 1260},
      {.destination = cidr("10.244.3.0/24"),
       .link = br,
       .preferred_source = ip("192.0.2.1"),
       .scope = 253},
      {.destination = cidr("10.96.0.0/16"), .link = br, .table = 1000, .scope = 253},
      {.destination = cidr("10.245.0.0/16"), .type = 6},
  };
  const std::vector<Route> v6 = {
      {.destination = cidr("2001:db8:1::/64"),
       .gateway = ip("2001:db8::12"),
       .link = br,
       .priority = 1024},
  };
  RtnlBatch add, remove;
  for (const auto *routes : {&v4, &v6})
    for (const auto &route : *routes) {
      add.add(AddRoute{.route = route});
      remove.add(DeleteRoute{.route = route});
    }
  apply(add);
  auto got = our_routes(Family::ipv4);
  std::sort(got.begin(), got.end());
  auto wanted = v4;
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(our_routes(Family::ipv6), v6);
  const auto seen = output_in(*ns, "ip route show proto 83");
  EXPECT_TRUE(contains(seen, "10.244.1.0/24 via 192.0.2.12 dev br")) << seen;

  const auto twice = rtnl->apply_each(add);
  ASSERT_TRUE(twice) << twice.error().what();
  EXPECT_EQ(twice->size(), add.size()) << "each of them is there already";
  apply(remove);
  EXPECT_TRUE(our_routes(Family::ipv4).empty());
  EXPECT_TRUE(our_routes(Family::ipv6).empty());
}

TEST_F(kernel_rtnl, several_next_hops_are_several_routes) {
  make_bridge();
  output_in(*ns, "ip route add 10.7.0.0/16 proto 83 nexthop via 192.0.2.2 nexthop via 192.0.2.3");
  const auto routes = our_routes(Family::ipv4);
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].gateway, ip("192.0.2.2"));
  EXPECT_EQ(routes[1].gateway, ip("192.0.2.3"));
  EXPECT_EQ(routes[1].link, index_of("br"));
}

TEST_F(kernel_rtnl, a_refusal_has_the_operation_and_the_kernels_words) {
  make_bridge();
  const auto refused = rtnl->apply(RtnlBatch().add(
      AddRoute{.route = {.destination = cidr("10.1.2.0/24"), .gateway = ip("10.9.9.9")}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), "route add 10.1.2.0/24 via 10.9.9.9 proto 83 (kernel: Nexthop "
                                    "has invalid gateway): Network is unreachable");
  EXPECT_EQ(refused.error().sys(), ENETUNREACH);
}

TEST_F(kernel_rtnl, every_operation_is_tried_up_to_a_barrier) {
  make_bridge();
  RtnlBatch batch;
  batch.add(DeleteLink{.link = "nobody"})
      .add(AddRoute{.route = {.destination = cidr("10.244.1.0/24"), .gateway = ip("192.0.2.12")}})
      .add(AddAddress{.link = "nobody", .address = address("10.0.0.1/32")})
      .add(CreateBridge{.name = "a-name-that-is-too-long"})
      .barrier()
      .add(DeleteLink{.link = "br"});
  const auto refused = rtnl->apply_each(batch);
  ASSERT_TRUE(refused) << refused.error().what();
  ASSERT_EQ(refused->size(), 3U);
  EXPECT_EQ((*refused)[0].operation, 0U);
  EXPECT_EQ((*refused)[0].error.code(), Errc::not_found);
  EXPECT_EQ((*refused)[1].operation, 2U);
  EXPECT_EQ((*refused)[1].error.code(), Errc::not_found);
  EXPECT_EQ((*refused)[2].operation, 3U);
  EXPECT_EQ((*refused)[2].error.code(), Errc::invalid_input);
  EXPECT_EQ(our_routes(Family::ipv4).size(), 1U);
  EXPECT_TRUE(rtnl->read_link(LinkRef("br"))) << "it stood behind the barrier";
}

TEST_F(kernel_rtnl, thousands_of_operations_go_out_in_pieces) {
  make_bridge();
  RtnlBatch add;
  for (std::uint32_t i = 0; i < 3000; ++i)
    add.add(AddRoute{.route = {.destination = Cidr(IpAddress::from_v4(0x0a000000 + (i << 8)), 24),
                               .gateway = ip("192.0.2.12")}});
  apply(add);
  EXPECT_EQ(our_routes(Family::ipv4).size(), 3000U);
  const auto again = rtnl->apply_each(add);
  ASSERT_TRUE(again) << again.error().what();
  EXPECT_EQ(again->size(), 3000U) << "no refusal gets lost";
}

TEST_F(kernel_rtnl, neighbours_and_proxies_come_and_go) {
  make_bridge();
  const auto br = index_of("br");
  const auto mac = MacAddress::parse("02:00:00:00:00:09").value();
  const Neighbour plain{.link = br, .ip = ip("192.0.2.9"), .mac = mac};
  const Neighbour proxy{.link = br, .ip = ip("192.0.2.10"), .state = 0x80, .proxy = true};
  apply(RtnlBatch().add(AddNeighbour{plain}).add(AddNeighbour{proxy}));
  const auto got = rtnl->read_neighbours(Family::ipv4).value();
  EXPECT_EQ(std::count(got.begin(), got.end(), plain), 1);
  EXPECT_EQ(std::count_if(got.begin(), got.end(),
                          [&](const Neighbour &n) { return n.proxy && n.ip == proxy.ip; }),
            1);
  EXPECT_TRUE(contains(output_in(*ns, "ip neigh show proxy"), "192.0.2.10"));
  apply(RtnlBatch().add(DeleteNeighbour{plain}).add(DeleteNeighbour{proxy}));
  const auto left = rtnl->read_neighbours(Family::ipv4).value();
  for (const auto &n : left)
    EXPECT_NE(n.ip, proxy.ip);
}

TEST_F(kernel_rtnl, addresses_of_one_link_are_read_alone) {
  make_bridge();
  const auto of_bridge = rtnl->read_addresses_of(index_of("br")).value();
  const auto all = rtnl->read_addresses().value();
  EXPECT_LT(of_bridge.size(), all.size()); // the loopback has some too
  ASSERT_GE(of_bridge.size(), 2U);
  for (const auto &a : of_bridge)
    EXPECT_EQ(a.link, index_of("br"));
}

TEST_F(kernel_rtnl, a_bridge_can_be_born_with_netfilter_on) {
  apply(RtnlBatch().add(CreateBridge{.name = "br", .netfilter = true}));
  const auto text = output_in(*ns, "ip -d link show br");
  EXPECT_TRUE(contains(text, "nf_call_iptables 1 nf_call_ip6tables 1")) << text;
}

TEST_F(kernel_rtnl, netfilter_of_a_bridge_is_read_and_changed) {
  make_bridge();
  EXPECT_FALSE(rtnl->read_link(LinkRef("br"))->netfilter);
  apply(RtnlBatch().add(SetLink{.link = "br", .netfilter = true}));
  EXPECT_TRUE(rtnl->read_link(LinkRef("br"))->netfilter);
  EXPECT_EQ(rtnl->read_link(LinkRef("br"))->alias, "made by a test");
  apply(RtnlBatch().add(SetLink{.link = "br", .alias = "a", .netfilter = false}));
  EXPECT_FALSE(rtnl->read_link(LinkRef("br"))->netfilter);
}

TEST_F(kernel_rtnl, an_address_can_be_replaced_and_removed) {
  make_bridge();
  const AddAddress op{.link = "br", .address = address("192.0.2.1/24")};
  EXPECT_EQ(rtnl->apply(RtnlBatch().add(op)).error().code(), Errc::already_exists);
  auto replacing = op;
  replacing.replace = true;
  apply(RtnlBatch().add(replacing));
  apply(RtnlBatch().add(DeleteAddress{.link = "br", .address = op.address}));
  const auto left = rtnl->read_addresses().value();
  for (const auto &a : left)
    EXPECT_NE(a.address, op.address);
}

} // namespace
} // namespace sluice::kernel
