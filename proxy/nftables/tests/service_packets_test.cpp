// Real packets: nodePorts, external and load balancer addresses, source ranges, affinity, SCTP.

#include "proxy/nftables/tests/packets_fixture.hpp"
#include "proxy/nftables/tests/sctp_packet.hpp"

#include <cerrno>
#include <netinet/ip.h>
#include <thread>

namespace sluice::proxy::nftables {
namespace {

using namespace tests;

class proxy_nftables_services : public PacketsTest {
protected:
  /// What a TCP connection came to: "first from 10.244.0.2", or the errno of connect(2).
  std::string reach(const Host &from, const SocketAddress &to, int deadline_ms = 5000,
                    const std::optional<IpAddress> &source = {}) {
    Socket asking(from, family(), Protocol::tcp);
    if (source)
      asking.bind(*source);
    if (const int error = asking.connect(to, deadline_ms); error != 0)
      return error == ETIMEDOUT ? "silence" : error == ECONNREFUSED ? "refused" : "another errno";
    auto *who = first_readable({&first_, &second_});
    if (who == nullptr)
      return "connected, but to none of them";
    auto accepted = who->accept();
    accepted.send("hello");
    EXPECT_EQ(asking.receive(), "hello");
    return (who == &first_ ? "first from " : "second from ") + accepted.peer().ip.str();
  }
  std::string from_first(const IpAddress &source) const { return "first from " + source.str(); }
  IpAddress gateway() const { return ip(v4() ? "10.244.0.1" : "fd00:10:244::1"); }
  const IpAddress &of(const Host &host) const { return host.address(family()); }
  SocketAddress external() const {
    return {ip(v4() ? "198.51.100.7" : "2001:db8:51::7"), Port(443)};
  }
  static constexpr Port kNodePort{30080};
  Frontend node_port() const { return {std::nullopt, kNodePort, Protocol::tcp}; }
  SocketAddress node_port_at(const IpAddress &address) const { return {address, kNodePort}; }

  /// externalTrafficPolicy Cluster: masqueraded for everybody. Local: the node is, others are not.
  FrontendInfo exposed(FrontendKind kind, std::uint32_t cluster, std::uint32_t local = 0) const {
    auto info = cluster_ip(cluster);
    info.kind = kind;
    info.from_pod.masquerade = info.from_outside.masquerade = local == 0;
    if (local != 0)
      info.from_outside.backends = BackendSetId(local);
    return info;
  }
  /// Set 1: the first pod. Set 2: the second.
  Table one_each() const {
    auto of = empty_table(family());
    of.backendSets[BackendSetId(1)] = {backend(world_.first)};
    of.backendSets[BackendSetId(2)] = {backend(world_.second)};
    of.node.nodePortAddresses = {world_.node.address(family()), ip(v4() ? "127.0.0.1" : "::1")};
    return of;
  }
};

TEST_P(proxy_nftables_services, node_ports_answer_on_the_chosen_addresses_only) {
  auto table = one_each();
  table.frontends[node_port()] = exposed(FrontendKind::node_port, 1);
  auto proxy = started(table);
  serve(Protocol::tcp);
  const auto chosen = node_port_at(of(world_.node)), other = node_port_at(gateway());
  const auto loopback = node_port_at(ip(v4() ? "127.0.0.1" : "::1"));
  for (const auto *host : {&world_.outside, &world_.client, &world_.node}) {
    EXPECT_EQ(reach(*host, chosen), from_first(gateway()));
    EXPECT_EQ(reach(*host, other), "refused") << "by the node itself: not a nodePort address";
  }
  EXPECT_EQ(reach(world_.node, loopback), "refused");
  TableDelta any;
  any.node = table.node;
  any.node->anyNodePortAddress = true;
  ASSERT_OK(proxy->apply(any));
  EXPECT_EQ(reach(world_.outside, other), from_first(gateway()));
  EXPECT_EQ(reach(world_.client, chosen), from_first(gateway()));
  EXPECT_EQ(reach(world_.node, loopback), "refused") << "never on loopback";
  apply_delta(table, any);
  EXPECT_EQ(proxy->verify(table)->differences, std::vector<std::string>());
}

TEST_P(proxy_nftables_services, policy_local_keeps_the_source_and_uses_the_local_set) {
  auto table = one_each();
  table.frontends[node_port()] = exposed(FrontendKind::node_port, 1, 2);
  table.frontends[frontend_of(external())] = exposed(FrontendKind::load_balancer, 1, 2);
  const auto proxy = started(table);
  serve(Protocol::tcp);
  for (const auto &to : {node_port_at(of(world_.node)), external()}) {
    SCOPED_TRACE(to.str());
    EXPECT_EQ(reach(world_.outside, to), "second from " + of(world_.outside).str());
    EXPECT_EQ(reach(world_.client, to), from_first(of(world_.client))) << "the short circuit";
    EXPECT_EQ(reach(world_.node, to), from_first(gateway())) << "masqueraded";
  }
}

TEST_P(proxy_nftables_services, a_service_address_wins_over_a_node_port_even_when_it_is_empty) {
  auto table = one_each();
  const auto at = node_port_at(of(world_.node));
  table.frontends[node_port()] = exposed(FrontendKind::node_port, 1);
  table.frontends[frontend_of(at)] = exposed(FrontendKind::external_ip, 0);
  const auto proxy = started(table);
  serve(Protocol::tcp);
  for (const auto *host : {&world_.outside, &world_.client, &world_.node})
    EXPECT_EQ(reach(*host, at), "refused");
}

TEST_P(proxy_nftables_services, an_empty_set_is_refused_or_dropped_by_source) {
  auto table = one_each();
  auto nobody = exposed(FrontendKind::node_port, 0);
  auto none_here = exposed(FrontendKind::node_port, 1);
  none_here.from_outside.backends = BackendSetId(0);
  none_here.from_outside.whenEmpty = WhenEmpty::drop;
  table.frontends[node_port()] = nobody;
  table.frontends[{std::nullopt, Port(30081), Protocol::tcp}] = none_here;
  nobody.kind = none_here.kind = FrontendKind::external_ip;
  table.frontends[frontend_of(external())] = nobody;
  auto second_external = external();
  second_external.port = Port(444);
  table.frontends[frontend_of(second_external)] = none_here;
  const auto proxy = started(table);
  serve(Protocol::tcp);
  const SocketAddress silent_port{of(world_.node), Port(30081)};
  for (const auto *host : {&world_.outside, &world_.client, &world_.node})
    for (const auto &to : {node_port_at(of(world_.node)), external()})
      EXPECT_EQ(reach(*host, to), "refused") << to.str();
  for (const auto &to : {silent_port, second_external}) {
    SCOPED_TRACE(to.str());
    EXPECT_EQ(reach(world_.outside, to, 300), "silence");
    EXPECT_NE(reach(world_.client, to), "silence");
    EXPECT_NE(reach(world_.node, to), "silence");
  }
}

TEST_P(proxy_nftables_services, source_ranges_let_in_whom_they_name_before_any_translation) {
  const auto range = [&](const char *v4_text, const char *v6_text) {
    return *Cidr::parse(v4() ? v4_text : v6_text);
  };
  const auto pods = range("10.244.0.0/29", "fd00:10:244::/125");
  const auto stranger = range("192.0.2.8/29", "2001:db8::10/128");
  auto table = one_each();
  auto info = exposed(FrontendKind::load_balancer, 1);
  info.source_ranges = {pods, range("192.0.0.0/24", "2001:db8:1::/48")};
  table.frontends[frontend_of(external())] = info;
  table.frontends[frontend_of(vip())] = cluster_ip(1);
  table.frontends[node_port()] = exposed(FrontendKind::node_port, 1);
  const auto proxy = started(table);
  serve(Protocol::tcp);
  EXPECT_EQ(reach(world_.client, external()), from_first(gateway()));
  EXPECT_EQ(reach(world_.outside, external(), 300), "silence");
  EXPECT_EQ(reach(world_.node, external(), 300, of(world_.node)), "silence");
  EXPECT_EQ(reach(world_.outside, vip()), from_first(gateway())) << "only load balancers filter";
  EXPECT_EQ(reach(world_.outside, node_port_at(of(world_.node))), from_first(gateway()));

  Socket established(world_.client, family(), Protocol::tcp);
  ASSERT_EQ(established.connect(external()), 0);
  auto accepted = first_.accept();
  TableDelta swapped;
  swapped.setFrontends[frontend_of(external())] = info;
  swapped.setFrontends[frontend_of(external())].source_ranges = {stranger};
  ASSERT_OK(proxy->apply(swapped));
  EXPECT_EQ(reach(world_.outside, external()), from_first(gateway()));
  EXPECT_EQ(reach(world_.client, external(), 300), "silence");
  accepted.send("stays");
  EXPECT_EQ(established.receive(), "stays");
  swapped.setFrontends[frontend_of(external())].source_ranges = {};
  ASSERT_OK(proxy->apply(swapped));
  EXPECT_EQ(reach(world_.client, external()), from_first(gateway())) << "no filter any more";
}

TEST_P(proxy_nftables_services, a_client_keeps_its_endpoint_on_all_addresses_of_the_service) {
  auto table = one_each();
  table.backendSets[BackendSetId(1)] = both();
  table.backendSets.erase(BackendSetId(2));
  auto sticky = cluster_ip(1);
  sticky.affinity = std::chrono::seconds(1000);
  table.frontends[frontend_of(vip())] = sticky;
  auto port = exposed(FrontendKind::node_port, 1);
  port.affinity = sticky.affinity;
  table.frontends[node_port()] = port;
  auto proxy = started(table);
  serve(Protocol::tcp);
  const auto endpoint_of = [&](const Host &host, const SocketAddress &to) {
    const auto reached = reach(host, to);
    return reached.substr(0, reached.find(' '));
  };
  // Of 12 clients some get the one and some the other, and each stays: 2 * 2^-12 says otherwise.
  std::set<std::string> seen;
  for (int i = 0; i < 12; ++i) {
    const auto address =
        v4() ? "10.244.0." + std::to_string(100 + i) : "fd00:10:244::" + std::to_string(100 + i);
    const auto length = v4() ? "/32" : "/128 nodad";
    run(world_.client.ns, "ip addr add " + address + length + " dev eth0");
    run(world_.node.ns, "ip route add " + address + " dev pod2");
    const auto pinned = reach(world_.client, vip(), 5000, ip(address));
    seen.insert(pinned.substr(0, pinned.find(' ')));
    for (int again = 0; again < 3; ++again)
      EXPECT_EQ(reach(world_.client, vip(), 5000, ip(address)), pinned);
  }
  EXPECT_EQ(seen.size(), 2U);
  const auto pinned = endpoint_of(world_.client, vip());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(endpoint_of(world_.client, vip()), pinned);
    EXPECT_EQ(endpoint_of(world_.client, node_port_at(of(world_.node))), pinned);
  }
  proxy = started(table); // a restart forgets nobody
  EXPECT_EQ(endpoint_of(world_.client, vip()), pinned);

  TableDelta gone;
  gone.setBackends[BackendSetId(1)] = {backend(pinned == "first" ? world_.second : world_.first)};
  ASSERT_OK(proxy->apply(gone));
  const auto other = pinned == "first" ? "second" : "first";
  EXPECT_EQ(endpoint_of(world_.client, vip()), other);
  TableDelta back;
  back.setBackends[BackendSetId(1)] = both();
  ASSERT_OK(proxy->apply(back));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(endpoint_of(world_.client, vip()), other) << "sticks to the new one";
}

TEST_P(proxy_nftables_services, affinity_ends_a_timeout_after_the_last_connection) {
  auto table = this->table();
  auto sticky = cluster_ip(1);
  sticky.affinity = std::chrono::seconds(1);
  table.frontends[frontend_of(vip())] = sticky;
  const auto proxy = started(table);
  serve(Protocol::tcp);
  const auto records = [&] {
    return run(world_.node.ns,
               "nft list map " + std::string(v4() ? "ip" : "ip6") + " sluice-proxy affinity");
  };
  EXPECT_EQ(reach(world_.client, vip()).find("connected"), std::string::npos);
  EXPECT_NE(records().find("expires"), std::string::npos) << records();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (records().find("expires") != std::string::npos &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(records().find("expires"), std::string::npos) << records();
}

TEST_P(proxy_nftables_services, udp_clients_keep_their_endpoint_too) {
  auto table = this->table();
  auto sticky = cluster_ip(1);
  sticky.affinity = std::chrono::seconds(1000);
  table.frontends[frontend_of(vip(), Protocol::udp)] = sticky;
  const auto proxy = started(table);
  serve(Protocol::udp);
  std::set<Socket *> reached;
  for (int i = 0; i < 30; ++i) {
    Socket asking(world_.client, family(), Protocol::udp);
    asking.send_to("ping", vip());
    auto *who = first_readable({&first_, &second_});
    ASSERT_NE(who, nullptr);
    who->receive_from();
    reached.insert(who);
  }
  EXPECT_EQ(reached.size(), 1U);
}

TEST_P(proxy_nftables_services, pods_are_told_by_interface) {
  serve(Protocol::tcp);
  for (const auto &detector : {LocalDetector{LocalDetector::Kind::interface_name, {}, "pod2"},
                               LocalDetector{LocalDetector::Kind::interface_prefix, {}, "pod"}}) {
    auto table = one_each();
    table.node.localDetector = detector;
    table.frontends[frontend_of(vip())] = cluster_ip(1);
    const auto proxy = started(table);
    EXPECT_EQ(reach(world_.client, vip()), from_first(of(world_.client)));
    EXPECT_EQ(reach(world_.outside, vip()), from_first(gateway()));
    EXPECT_EQ(reach(world_.node, vip()), from_first(gateway()));
  }
}

TEST_P(proxy_nftables_services, sctp_is_translated_to_the_endpoint_and_its_port) {
  auto table = one_each();
  table.frontends[frontend_of(vip(), Protocol::sctp)] = cluster_ip(2);
  const auto proxy = started(table);
  const auto raw = [&](const Host &host) {
    auto fd = host.ns.run([&]() -> Result<UniqueFd> {
      UniqueFd made(::socket(v4() ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 132));
      if (!made)
        return fail(Error::from_errno(errno, "open a raw socket"));
      return made;
    });
    EXPECT_TRUE(fd) << fd.error().what();
    return Socket(std::move(*fd));
  };
  Socket asking = raw(world_.client), serving = raw(world_.second);
  asking.send_to(sctp_init(Port(4000), vip().port), {vip().ip, Port(0)});
  auto [packet, from] = serving.receive_from();
  if (v4() && packet.size() > sizeof(iphdr))
    packet = packet.substr(sizeof(iphdr)); // raw IPv4 sockets show the header
  EXPECT_EQ(packet, sctp_init(Port(4000), Port(8080)));
  EXPECT_EQ(from.ip, of(world_.client));
}

INSTANTIATE_TEST_SUITE_P(families, proxy_nftables_services,
                         ::testing::Values(Family::ipv4, Family::ipv6), family_name);

} // namespace
} // namespace sluice::proxy::nftables
