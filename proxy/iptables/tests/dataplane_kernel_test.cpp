// What the kernel and the real tools make of our rules, in both flavours. Packets are the matter of
// integration/packets.

#include "kernel/netns.hpp"
#include "proxy/iptables/dataplane.hpp"
#include "proxy/iptables/tests/random_table.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>

namespace sluice::proxy::iptables {
namespace {

using kernel::iptables::Flavour;

struct Case {
  Family family;
  Flavour flavour;
};

class Kernel : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    auto made = kernel::NetNs::create();
    ASSERT_TRUE(made) << made.error().what();
    ns_.emplace(std::move(*made));
    auto tool = open_tool();
    ASSERT_TRUE(tool) << tool.error().what();
    dataplane_ = make_dataplane(GetParam().family, std::move(*tool), {.chainsPerCommit = 7});
  }
  Result<std::unique_ptr<kernel::iptables::Tool>> open_tool() {
    return kernel::iptables::open_tool(
        {.family = GetParam().family, .flavour = GetParam().flavour, .netns_fd = ns_->fd()});
  }

  /// Other programs of the machine may hold the lock for a while.
  template <class Call> static Result<> patiently(Call call) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    auto done = call();
    while (!done && done.error().code() == Errc::busy &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      done = call();
    }
    return done;
  }

  std::optional<kernel::NetNs> ns_;
  std::unique_ptr<Dataplane> dataplane_;
};

TEST_P(Kernel, what_is_read_back_is_what_was_written) {
  tests::RandomWalk walk(GetParam().family, 3);
  for (int step = 0; step < 80; ++step)
    walk.step();
  auto before = walk.table();
  const auto started = patiently([&] { return dataplane_->start(before); });
  ASSERT_TRUE(started) << started.error().what();
  for (int step = 0; step < 12; ++step) {
    const auto &now = walk.step();
    auto delta = delta_between(before, now);
    const auto applied =
        patiently([&] { return dataplane_->apply(std::exchange(delta, TableDelta{})); });
    ASSERT_TRUE(applied) << applied.error().what();
    before = now;
    const auto drift = dataplane_->verify(now);
    ASSERT_TRUE(drift) << drift.error().what();
    EXPECT_TRUE(drift->empty()) << drift->differences.front();
  }
  ASSERT_TRUE(patiently([&] { return dataplane_->remove(); }));
  const auto left = (*open_tool())->save("");
  ASSERT_TRUE(left);
  EXPECT_EQ(left->find("SLUICE-"), std::string::npos);
}

TEST_P(Kernel, an_explanation_tells_whether_the_kernel_is_as_written) {
  tests::RandomWalk walk(GetParam().family, 3);
  const auto &table = walk.step();
  ASSERT_TRUE(patiently([&] { return dataplane_->start(table); }));
  const auto any =
      *IpAddress::parse(GetParam().family == Family::ipv4 ? "192.0.2.1" : "2001:db8::1");
  const Flow flow{any, any, Port{1024}, Port{80}, Protocol::tcp, ""};
  auto explained = dataplane_->explain(flow);
  ASSERT_TRUE(explained) << explained.error().what();
  EXPECT_TRUE(explained->differences.empty());
  EXPECT_EQ(explained->objects.size(), 1U);
  ASSERT_TRUE(patiently(
      [&] { return (*open_tool())->restore("*nat\n-A SLUICE-SERVICES -j RETURN\nCOMMIT\n"); }));
  explained = dataplane_->explain(flow);
  ASSERT_TRUE(explained) << explained.error().what();
  EXPECT_TRUE(explained->objects.empty());
  ASSERT_EQ(explained->differences.size(), 1U);
  EXPECT_NE(explained->differences.front().find("SLUICE-SERVICES"), std::string::npos);
}

// ---- nodePorts on loopback ---------------------------------------------------------------------

/// Runs a line of shell in a namespace.
void in(const kernel::NetNs &ns, const std::string &line) {
  ASSERT_EQ(ns.run([&]() -> Result<int> { return std::system((line + " 2>&1").c_str()); }), 0)
      << line;
}

/// A listener on 127.0.0.1 of `node`, and whether `from` gets a connection to it within half a
/// second.
class Loopback {
public:
  explicit Loopback(const kernel::NetNs &node) {
    (void)node.run([&]() -> Result<> {
      socket_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(::bind(socket_.get(), generic(), sizeof address_), 0);
      EXPECT_EQ(::listen(socket_.get(), 8), 0);
      return {};
    });
  }
  bool answers(const kernel::NetNs &from) {
    return *from.run([&]() -> Result<bool> {
      const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)::connect(fd.get(), generic(), sizeof address_);
      pollfd wait{fd.get(), POLLOUT, 0};
      int error = 1;
      socklen_t size = sizeof error;
      return ::poll(&wait, 1, 500) == 1 &&
             ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    });
  }

private:
  const sockaddr *generic() const { return reinterpret_cast<const sockaddr *>(&address_); }
  sockaddr_in address_{AF_INET, htons(10249), {htonl(INADDR_LOOPBACK)}, {}};
  UniqueFd socket_;
};

TEST_P(Kernel, loopback_is_guarded_as_long_as_it_is_open) {
  if (GetParam().family == Family::ipv6)
    return; // has no route_localnet, and the option no effect
  auto neighbour = kernel::NetNs::create();
  ASSERT_TRUE(neighbour);
  in(*ns_, "ip link add a0 type veth peer name b0 netns /proc/" + std::to_string(::getpid()) +
               "/fd/" + std::to_string(neighbour->fd()));
  in(*ns_, "ip link set lo up; ip link set a0 up; ip addr add 192.0.2.1/24 dev a0");
  in(*neighbour,
     "ip addr flush dev lo; ip link set lo down; ip link set b0 up; ip addr add 192.0.2.2/24 dev b0; sysctl -qw "
     "net.ipv4.conf.all.route_localnet=1; ip route add 127.0.0.0/8 via 192.0.2.1");
  Options options;
  options.routeLocalnet = {
      [&] { return ns_->run(route_localnet().get); },
      [&](bool on) { return ns_->run([&] { return route_localnet().set(on); }); }};
  const auto is_open = [&] { return *options.routeLocalnet->get(); };
  const auto has_guard = [&] {
    return (*open_tool())->save("")->find("SLUICE-LOCALNET") != std::string::npos;
  };
  auto tool = open_tool();
  ASSERT_TRUE(tool);
  dataplane_ = make_dataplane(Family::ipv4, std::move(*tool), options);
  Table table;
  ASSERT_TRUE(patiently([&] { return dataplane_->start(table); }));
  EXPECT_FALSE(is_open() || has_guard()) << "not asked for";

  TableDelta delta;
  delta.node = table.node;
  delta.node->localhostNodePorts = table.node.localhostNodePorts = true;
  ASSERT_TRUE(patiently([&] { return dataplane_->apply(delta); }));
  EXPECT_TRUE(is_open() && has_guard());
  Loopback server(*ns_);
  EXPECT_TRUE(server.answers(*ns_));
  EXPECT_FALSE(server.answers(*neighbour)) << "CVE-2020-8558";
  ASSERT_TRUE(options.routeLocalnet->set(false));
  EXPECT_EQ(dataplane_->verify(table)->differences,
            std::vector<std::string>{"net.ipv4.conf.all.route_localnet is 0"});
  ASSERT_TRUE(patiently([&] { return dataplane_->start(table); }));
  EXPECT_TRUE(is_open());

  delta.node->localhostNodePorts = false;
  ASSERT_TRUE(patiently([&] { return dataplane_->apply(delta); }));
  EXPECT_FALSE(is_open() || has_guard());
  ASSERT_TRUE(options.routeLocalnet->set(true));
  EXPECT_TRUE(server.answers(*neighbour)) << "this is what the guard is for";

  delta.node->localhostNodePorts = true;
  ASSERT_TRUE(patiently([&] { return dataplane_->apply(delta); }));
  ASSERT_TRUE(patiently([&] { return dataplane_->remove(); }));
  EXPECT_FALSE(is_open() || has_guard());
}

TEST_P(Kernel, a_refused_line_is_an_error_with_the_program_s_words_and_nothing_is_written) {
  auto tool = open_tool();
  ASSERT_TRUE(tool);
  const auto refused = patiently(
      [&] { return (*tool)->restore("*nat\n:SLUICE-X - [0:0]\n-A NO-SUCH -j ACCEPT\nCOMMIT\n"); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::invalid_input);
  EXPECT_NE(refused.error().what().find("restore exited with"), std::string::npos);
  EXPECT_EQ((*tool)->save("")->find("SLUICE-X"), std::string::npos);
}

TEST(iptables_tool, a_lock_that_somebody_holds_is_busy) {
  const UniqueFd lock(::open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  auto ns = kernel::NetNs::create();
  ASSERT_TRUE(ns);
  auto tool = kernel::iptables::open_tool({.flavour = Flavour::legacy, .netns_fd = ns->fd()});
  ASSERT_TRUE(tool);
  const auto refused = (*tool)->restore("*nat\n:SLUICE-X - [0:0]\nCOMMIT\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::busy);
}

INSTANTIATE_TEST_SUITE_P(iptables, Kernel,
                         testing::Values(Case{Family::ipv4, Flavour::legacy},
                                         Case{Family::ipv6, Flavour::legacy},
                                         Case{Family::ipv4, Flavour::nft},
                                         Case{Family::ipv6, Flavour::nft}),
                         [](const auto &of) {
                           return std::string(of.param.family == Family::ipv4 ? "ipv4_" : "ipv6_") +
                                  std::string(name_of(of.param.flavour));
                         });

} // namespace
} // namespace sluice::proxy::iptables
