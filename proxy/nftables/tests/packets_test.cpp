// Real packets through the real kernel: ClusterIPs, restarts, repair.

#include "proxy/nftables/tests/packets_fixture.hpp"

#include <atomic>
#include <cerrno>

namespace sluice::proxy::nftables {
namespace {

using namespace tests;

class proxy_nftables_packets : public PacketsTest {};

TEST_P(proxy_nftables_packets, tcp_of_a_pod_reaches_every_endpoint_with_its_source) {
  const auto proxy = started(table());
  serve(Protocol::tcp);
  int of_first = 0;
  constexpr int kConnections = 300;
  for (int i = 0; i < kConnections; ++i) {
    Socket asking(world_.client, family(), Protocol::tcp);
    ASSERT_EQ(asking.connect(vip()), 0);
    auto *who = first_readable({&first_, &second_});
    ASSERT_NE(who, nullptr);
    auto accepted = who->accept();
    ASSERT_EQ(accepted.peer().ip, world_.client.address(family())) << "masqueraded";
    of_first += who == &first_ ? 1 : 0;
    if (i == 0) {
      accepted.send("hello");
      EXPECT_EQ(asking.receive(), "hello");
      EXPECT_EQ(asking.peer(), vip());
    }
  }
  // Half, within six standard deviations.
  EXPECT_GT(of_first, kConnections / 2 - 52);
  EXPECT_LT(of_first, kConnections / 2 + 52);
}

TEST_P(proxy_nftables_packets, udp_is_answered_from_the_service_address) {
  const auto proxy = started(table());
  serve(Protocol::udp);
  std::set<Socket *> reached;
  for (int i = 0; i < 60; ++i) {
    Socket asking(world_.client, family(), Protocol::udp);
    asking.send_to("ping", vip());
    auto *who = first_readable({&first_, &second_});
    ASSERT_NE(who, nullptr);
    const auto [text, from] = who->receive_from();
    EXPECT_EQ(text, "ping");
    EXPECT_EQ(from.ip, world_.client.address(family()));
    who->send_to("pong", from);
    const auto [answer, answered_by] = asking.receive_from();
    EXPECT_EQ(answer, "pong");
    EXPECT_EQ(answered_by, vip());
    reached.insert(who);
  }
  EXPECT_EQ(reached.size(), 2U);
}

TEST_P(proxy_nftables_packets, an_endpoint_reaches_itself_through_its_service) {
  auto of = table();
  of.backendSets[BackendSetId(1)] = {backend(world_.first)};
  const auto proxy = started(of);
  serve(Protocol::tcp);
  Socket asking(world_.first, family(), Protocol::tcp);
  ASSERT_EQ(asking.connect(vip()), 0);
  auto accepted = first_.accept();
  EXPECT_NE(accepted.peer().ip, world_.first.address(family())) << "must be masqueraded";
  accepted.send("myself");
  EXPECT_EQ(asking.receive(), "myself");
}

TEST_P(proxy_nftables_packets, the_node_and_strangers_are_masqueraded) {
  const auto proxy = started(table());
  serve(Protocol::tcp);
  const auto gateway = ip(v4() ? "10.244.0.1" : "fd00:10:244::1");
  for (const auto *host : {&world_.outside, &world_.node}) {
    Socket asking(*host, family(), Protocol::tcp);
    ASSERT_EQ(asking.connect(vip()), 0);
    auto *who = first_readable({&first_, &second_});
    ASSERT_NE(who, nullptr);
    auto accepted = who->accept();
    EXPECT_EQ(accepted.peer().ip, gateway);
    accepted.send("through");
    EXPECT_EQ(asking.receive(), "through");
  }
}

TEST_P(proxy_nftables_packets, what_nobody_serves_is_refused_at_once_or_dropped) {
  auto of = table();
  of.frontends[frontend_of(vip(81))] = cluster_ip(0, "empty");
  auto silent = cluster_ip(0, "silent");
  silent.from_pod.whenEmpty = silent.from_node.whenEmpty = silent.from_outside.whenEmpty =
      WhenEmpty::drop;
  of.frontends[frontend_of(vip(82))] = silent;
  const auto proxy = started(of);
  const auto unallocated = SocketAddress{ip(v4() ? "10.96.0.99" : "fd00:10:96::99"), Port(80)};
  struct Case {
    const char *name;
    SocketAddress to;
    int error;
  };
  const Case cases[] = {{"no endpoints", vip(81), ECONNREFUSED},
                        {"no such port", vip(83), ECONNREFUSED},
                        {"endpoints, but none here", vip(82), ETIMEDOUT},
                        {"an address of no Service", unallocated, ETIMEDOUT}};
  for (const auto &c : cases)
    for (const auto *host : {&world_.client, &world_.node}) {
      SCOPED_TRACE(std::string(c.name) + (host == &world_.node ? " from the node" : " from a pod"));
      Socket asking(*host, family(), Protocol::tcp);
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_EQ(asking.connect(c.to, c.error == ETIMEDOUT ? 300 : 5000), c.error);
      if (c.error == ECONNREFUSED) {
        // Over IPv6 the kernel drops the ICMP error that comes back while connect(2) holds the
        // socket (LockDroppedIcmps; plain nft rules show it too): refused at the second SYN.
        const auto limit = std::chrono::milliseconds(v4() ? 900 : 1900);
        EXPECT_LT(std::chrono::steady_clock::now() - begin, limit);
      }
    }
  Socket udp(world_.client, family(), Protocol::udp);
  ASSERT_EQ(udp.connect(vip(83)), 0);
  udp.send("anybody?");
  EXPECT_EQ(udp.receive(), "errno " + std::to_string(ECONNREFUSED));
}

TEST_P(proxy_nftables_packets, a_service_gets_endpoints_and_loses_them) {
  auto of = table();
  of.frontends[frontend_of(vip())] = cluster_ip(0);
  of.frontends.erase(frontend_of(vip(), Protocol::udp));
  of.backendSets.clear();
  const auto proxy = started(of);
  serve(Protocol::tcp);
  EXPECT_EQ(Socket(world_.client, family(), Protocol::tcp).connect(vip()), ECONNREFUSED);
  TableDelta come;
  come.setBackends[BackendSetId(5)] = {backend(world_.second)};
  come.setFrontends[frontend_of(vip())] = cluster_ip(5);
  ASSERT_OK(proxy->apply(come));
  Socket asking(world_.client, family(), Protocol::tcp);
  EXPECT_EQ(asking.connect(vip()), 0);
  auto accepted = second_.accept();
  TableDelta go;
  go.removeBackends = {BackendSetId(5)};
  go.setFrontends[frontend_of(vip())] = cluster_ip(0);
  ASSERT_OK(proxy->apply(go));
  EXPECT_EQ(Socket(world_.client, family(), Protocol::tcp).connect(vip()), ECONNREFUSED);
  accepted.send("established stays");
  EXPECT_EQ(asking.receive(), "established stays");
}

TEST_P(proxy_nftables_packets, a_restart_adopts_and_disturbs_no_connection) {
  auto proxy = started(table());
  serve(Protocol::tcp);
  Socket asking(world_.client, family(), Protocol::tcp);
  ASSERT_EQ(asking.connect(vip()), 0);
  auto *who = first_readable({&first_, &second_});
  ASSERT_NE(who, nullptr);
  auto accepted = who->accept();
  const auto generation = [&] {
    auto socket = world_.node.ns.run([] { return kernel::nft::NftSocket::open(); });
    return *socket->generation();
  };
  const auto before = generation();
  proxy = started(table());
  EXPECT_EQ(generation(), before) << "nothing was different, nothing is written";
  auto one_less = table();
  one_less.backendSets[BackendSetId(1)] = {who == &first_ ? backend(world_.second)
                                                          : backend(world_.first)};
  proxy = started(one_less);
  accepted.send("still here");
  EXPECT_EQ(asking.receive(), "still here");
  Socket again(world_.client, family(), Protocol::tcp);
  ASSERT_EQ(again.connect(vip()), 0);
  EXPECT_EQ(first_readable({&first_, &second_}), who == &first_ ? &second_ : &first_);
  const auto drift = proxy->verify(one_less);
  ASSERT_OK(drift);
  EXPECT_EQ(drift->differences, std::vector<std::string>());
}

TEST_P(proxy_nftables_packets, what_was_flushed_by_hand_is_found_and_repaired) {
  const auto proxy = started(table());
  serve(Protocol::tcp);
  const std::string name = std::string(v4() ? "ip" : "ip6") + " sluice-proxy";
  for (const std::string &damage :
       {std::string("nft flush table ") + name, "nft delete table " + name,
        std::string("nft flush ruleset"), "nft flush map " + name + " frontends",
        "nft flush map " + name + " slots", "nft flush chain " + name + " pick-pod-2",
        "nft flush chain " + name + " from-pod"}) {
    SCOPED_TRACE(damage);
    run(world_.node.ns, damage);
    const auto drift = proxy->verify(table());
    ASSERT_OK(drift);
    EXPECT_FALSE(drift->empty());
    ASSERT_OK(proxy->start(table()));
    EXPECT_EQ(proxy->verify(table())->differences, std::vector<std::string>());
    Socket asking(world_.client, family(), Protocol::tcp);
    EXPECT_EQ(asking.connect(vip(), 1000), 0);
  }
}

TEST_P(proxy_nftables_packets, no_connection_fails_while_endpoints_come_and_go) {
  const auto proxy = started(table());
  serve(Protocol::tcp);
  std::atomic<bool> done{false};
  std::thread churn([&] {
    for (int i = 0; !done; ++i) {
      TableDelta delta;
      delta.setBackends[BackendSetId(1)] = i % 3 == 0   ? BackendSet{backend(world_.first)}
                                           : i % 3 == 1 ? both()
                                                        : BackendSet{backend(world_.second)};
      ASSERT_OK(proxy->apply(delta));
    }
  });
  int failed = 0;
  for (int i = 0; i < 400; ++i) { // the backlogs hold them all
    Socket asking(world_.client, family(), Protocol::tcp);
    failed += asking.connect(vip(), 900) == 0 ? 0 : 1;
  }
  done = true;
  churn.join();
  EXPECT_EQ(failed, 0);
}

/// As a packet finds it that has the count, and stands still while two changes pass.
TEST_P(proxy_nftables_packets, a_slot_that_went_after_the_count_was_read_refuses_nobody) {
  const auto proxy = started(table());
  serve(Protocol::tcp);
  const std::string slots = std::string(v4() ? "ip" : "ip6") + " sluice-proxy slots";
  run(world_.node.ns, "nft delete element " + slots + " { 0x00000001 . 0x00000001 }");
  for (int i = 0; i < 20; ++i) { // half of them choose the second slot
    Socket asking(world_.client, family(), Protocol::tcp);
    ASSERT_EQ(asking.connect(vip(), 900), 0);
    EXPECT_EQ(first_readable({&first_, &second_}), &first_);
    (void)first_.accept();
  }
}

TEST_P(proxy_nftables_packets, remove_leaves_the_table_of_others) {
  const auto proxy = started(table());
  run(world_.node.ns, "nft add table inet other");
  ASSERT_OK(proxy->remove());
  EXPECT_EQ(run(world_.node.ns, "nft list tables"), "table inet other\n");
}

TEST_P(proxy_nftables_packets, debian_12s_nft_lists_the_table_and_can_change_others) {
  auto all = table();
  auto info = cluster_ip(1);
  info.kind = FrontendKind::load_balancer;
  info.affinity = std::chrono::seconds(10);
  info.source_ranges = {Cidr(world_.client.address(family()), 24)};
  all.frontends[frontend_of(vip(443))] = info;
  all.frontends[{std::nullopt, Port(30000), Protocol::tcp}] = cluster_ip(1);
  all.node.nodePortAddresses = {world_.node.address(family())};
  const auto proxy = started(all);
  serve(Protocol::tcp);
  Socket asking(world_.client, family(), Protocol::tcp); // leaves a record in @affinity
  EXPECT_EQ(asking.connect(vip(443)), 0);
  const auto listed = run(world_.node.ns, "nft list ruleset");
  for (const auto *part : {"map frontends", "map slots", "@dispatch-pod", "masquerade",
                           "goto new-input", "expires", "@ranges", "map node-ports"})
    EXPECT_NE(listed.find(part), std::string::npos) << part << " in\n" << listed;
  run(world_.node.ns, "nft add table inet other");
  EXPECT_NE(run(world_.node.ns, "nft list tables").find("table inet other"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(families, proxy_nftables_packets,
                         ::testing::Values(Family::ipv4, Family::ipv6), family_name);

} // namespace
} // namespace sluice::proxy::nftables
