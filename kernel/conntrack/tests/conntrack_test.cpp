// One suite for the kernel's table and for the fake: what holds for one holds for the other.

#include "kernel/conntrack/conntrack.hpp"
#include "kernel/conntrack/fake.hpp"
#include "kernel/netns.hpp"
#include "kernel/spawn.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel::conntrack {
namespace {

SocketAddress at(const char *text) { return SocketAddress::parse(text).value(); }

Flow flow(Protocol protocol, const char *source, const char *destination, const char *backend,
          std::uint32_t mark = 0) {
  return {protocol, {at(source), at(destination)}, {at(backend), at(source)}, mark, 0, 0};
}

const Flow kTranslated =
    flow(Protocol::udp, "10.0.0.1:5000", "172.30.0.10:53", "10.0.1.2:8053", 0x0200'0000);
const Flow kPlain = flow(Protocol::udp, "10.0.0.1:5001", "172.30.0.10:53", "172.30.0.10:53");
const Flow kTcp = flow(Protocol::tcp, "10.0.0.1:5000", "172.30.0.10:53", "10.0.1.2:8053");
const Flow kV6 =
    flow(Protocol::udp, "[2001:db8::1]:5000", "[2001:db8:172::10]:53", "[2001:db8:1::2]:8053", 7);

/// A table to test and a way to put a flow into it.
struct Table {
  std::unique_ptr<Conntrack> conntrack;
  std::function<void(const Flow &)> insert;
};

Table fake_table() {
  auto made = std::make_unique<fake::Conntrack>();
  auto *fake = made.get();
  return {std::move(made), [fake, next = 1U](Flow flow) mutable {
            flow.id = next++;
            fake->flows.push_back(flow);
          }};
}

void insert_with_conntrack(const NetNs &where, const Flow &flow) {
  const auto text = [](std::uint16_t number) { return std::to_string(number); };
  SpawnOptions options;
  options.argv = {"conntrack",
                  "-I",
                  "-p",
                  flow.protocol == Protocol::udp ? "udp" : "tcp",
                  "-s",
                  flow.original.source.ip.str(),
                  "-d",
                  flow.original.destination.ip.str(),
                  "--sport",
                  text(flow.original.source.port.value),
                  "--dport",
                  text(flow.original.destination.port.value),
                  "-r",
                  flow.reply.source.ip.str(),
                  "-q",
                  flow.reply.destination.ip.str(),
                  "--reply-port-src",
                  text(flow.reply.source.port.value),
                  "--reply-port-dst",
                  text(flow.reply.destination.port.value),
                  "-t",
                  "100",
                  "--mark",
                  std::to_string(flow.mark)};
  if (flow.protocol == Protocol::tcp) {
    options.argv.push_back("--state");
    options.argv.push_back("ESTABLISHED");
  }
  options.netns_fd = where.fd();
  const auto done = run_program(std::move(options), "", std::chrono::seconds(10));
  ASSERT_TRUE(done) << done.error().what();
  ASSERT_TRUE(done->status.success()) << done->stderr_text;
}

Table kernel_table() {
  auto made = NetNs::create();
  EXPECT_TRUE(made) << made.error().what();
  const auto where = std::make_shared<NetNs>(std::move(*made)); // lives as long as `insert`
  auto socket = where->run([] { return ConntrackSocket::open(); });
  EXPECT_TRUE(socket) << socket.error().what();
  return {std::make_unique<ConntrackSocket>(std::move(*socket)),
          [where](const Flow &flow) { insert_with_conntrack(*where, flow); }};
}

class ConntrackRules : public ::testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    table_ = GetParam() == std::string("kernel") ? kernel_table() : fake_table();
    for (const auto &flow : {kTranslated, kPlain, kTcp, kV6})
      table_.insert(flow);
  }
  /// Sorted, with their ids.
  std::vector<Flow> read_with_ids(const Filter &filter) {
    std::vector<Flow> flows;
    const auto done =
        table_.conntrack->each(filter, [&](const Flow &flow) { flows.push_back(flow); });
    EXPECT_TRUE(done) << done.error().what();
    std::sort(flows.begin(), flows.end());
    return flows;
  }
  std::vector<Flow> read(const Filter &filter) {
    auto flows = read_with_ids(filter);
    for (auto &flow : flows) {
      EXPECT_NE(flow.id, 0U);
      flow.id = 0;
    }
    return flows;
  }
  Table table_;
};

TEST_P(ConntrackRules, only_flows_of_the_family_and_protocol_are_read) {
  EXPECT_EQ(read({Family::ipv4, Protocol::udp}), (std::vector{kTranslated, kPlain}));
  EXPECT_EQ(read({Family::ipv6, Protocol::udp}), std::vector{kV6});
  EXPECT_EQ(read({Family::ipv4, Protocol::tcp}), std::vector{kTcp});
  EXPECT_EQ(read({Family::ipv4, Protocol::sctp}), std::vector<Flow>{});
}

TEST_P(ConntrackRules, what_is_removed_is_gone_and_nothing_else) {
  const auto removed = table_.conntrack->remove(std::vector{kTranslated});
  ASSERT_TRUE(removed) << removed.error().what();
  EXPECT_EQ(*removed, 1U);
  EXPECT_EQ(read({Family::ipv4, Protocol::udp}), std::vector{kPlain});
  EXPECT_EQ(read({Family::ipv4, Protocol::tcp}), std::vector{kTcp}) << "same tuple, TCP";
}

TEST_P(ConntrackRules, a_flow_that_is_gone_already_is_no_error) {
  const auto removed = table_.conntrack->remove(std::vector{kTranslated, kTranslated, kV6});
  ASSERT_TRUE(removed) << removed.error().what();
  EXPECT_EQ(*removed, 2U);
}

TEST_P(ConntrackRules, a_newer_flow_with_the_same_tuple_stays) {
  auto older = read_with_ids({Family::ipv6, Protocol::udp}).front();
  older.id ^= 0x5555;
  const auto removed = table_.conntrack->remove(std::vector{older});
  ASSERT_TRUE(removed) << removed.error().what();
  EXPECT_EQ(*removed, 0U);
  EXPECT_EQ(read({Family::ipv6, Protocol::udp}), std::vector{kV6});
}

TEST_P(ConntrackRules, flows_may_be_removed_while_they_are_read) {
  std::size_t seen = 0;
  const auto done = table_.conntrack->each({Family::ipv4, Protocol::udp}, [&](const Flow &flow) {
    ++seen;
    EXPECT_TRUE(table_.conntrack->remove(std::vector{flow}));
  });
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_EQ(seen, 2U);
  EXPECT_TRUE(read({Family::ipv4, Protocol::udp}).empty());
}

INSTANTIATE_TEST_SUITE_P(conntrack, ConntrackRules, ::testing::Values("fake", "kernel"),
                         [](const auto &param) { return std::string(param.param); });

} // namespace
} // namespace sluice::kernel::conntrack
