#pragma once
// What the tests with real packets share: a node, two pods that serve, a pod and a stranger that
// ask, and one Service.

#include "kernel/nft/nft_socket.hpp"
#include "proxy/nftables/dataplane.hpp"
#include "proxy/nftables/tests/net_world.hpp"
#include "proxy/nftables/tests/tables.hpp"

namespace sluice::proxy::nftables {

#define ASSERT_OK(expr)                                                                            \
  do {                                                                                             \
    const auto result_ = (expr);                                                                   \
    ASSERT_TRUE(result_) << result_.error().what();                                                \
  } while (false)

namespace tests {

class PacketsTest : public ::testing::TestWithParam<Family> {
protected:
  Family family() const { return GetParam(); }
  bool v4() const { return family() == Family::ipv4; }
  SocketAddress vip(std::uint16_t port = 80) const {
    return {ip(v4() ? "10.96.0.10" : "fd00:10:96::10"), Port(port)};
  }
  Frontend frontend_of(const SocketAddress &at, Protocol protocol = Protocol::tcp) const {
    return {at.ip, at.port, protocol};
  }
  Backend backend(const Host &host) const {
    return {.address = {host.address(family()), Port(8080)}, .local = true};
  }
  BackendSet both() const {
    BackendSet set{backend(world_.first), backend(world_.second)};
    std::sort(set.begin(), set.end());
    return set;
  }
  /// One Service of both endpoints, TCP and UDP.
  Table table() const {
    auto of = empty_table(family());
    of.backendSets[BackendSetId(1)] = both();
    of.frontends[frontend_of(vip())] = cluster_ip(1);
    of.frontends[frontend_of(vip(), Protocol::udp)] = cluster_ip(1);
    return of;
  }
  std::unique_ptr<Dataplane> plane() const {
    auto socket = world_.node.ns.run([] { return kernel::nft::NftSocket::open(); });
    EXPECT_TRUE(socket) << socket.error().what();
    return make_dataplane(family(), std::make_unique<kernel::nft::NftSocket>(std::move(*socket)));
  }
  std::unique_ptr<Dataplane> started(const Table &of) const {
    auto made = plane();
    const auto done = made->start(of);
    EXPECT_TRUE(done) << done.error().what();
    return made;
  }
  void serve(Protocol protocol) {
    first_ = Socket::listening(world_.first, family(), protocol, Port(8080));
    second_ = Socket::listening(world_.second, family(), protocol, Port(8080));
  }
  NetWorld world_;
  Socket first_, second_;
};

inline std::string family_name(const ::testing::TestParamInfo<Family> &family) {
  return std::string(name_of(family.param));
}

} // namespace tests
} // namespace sluice::proxy::nftables
