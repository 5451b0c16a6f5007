// An endpoint that leaves (service-semantics.md H20): its connections go on, it gets no new one,
// and it is gone when they have ended or when the limit has passed, restarts or not.

#include "proxy/ipvs/tests/kernel/node.hpp"

#include <cerrno>

namespace sluice::proxy::ipvs::test {
namespace {

using namespace std::chrono_literals;

class Drain : public Node {
protected:
  /// A connection to pod 2, while that serves alone.
  TestClient connected() {
    start(serving({2}));
    auto client = TestClient::connect(bed_->pod(1).netns, kWeb, Protocol::tcp, 10s);
    EXPECT_TRUE(client) << client.error().what();
    EXPECT_EQ(name_in(client->ask()), "pod2");
    return std::move(*client);
  }
};

TEST_F(Drain, goes_on_over_restarts_and_ends_with_the_last_connection) {
  auto client = connected();
  change_to(serving({3}));
  EXPECT_EQ(destinations(Protocol::tcp), "pod2:0 pod3:1");
  EXPECT_EQ(destinations(Protocol::udp), "pod3:1") << "UDP goes at once";
  for (int restart = 0; restart < 2; ++restart) {
    start(serving({3}));
    EXPECT_EQ(verify(), "");
    EXPECT_EQ(destinations(Protocol::tcp), "pod2:0 pod3:1");
    EXPECT_EQ(name_in(client.ask()), "pod2");
    EXPECT_EQ(ask(kWeb), "pod3");
  }
  ASSERT_TRUE(ipvs_->set_timeouts({.tcp = 1s}));
  EXPECT_EQ(name_in(client.ask()), "pod2"); // its last words
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(verify(), "");
    return destinations(Protocol::tcp) == "pod3:1";
  })) << destinations(Protocol::tcp);
  ASSERT_TRUE(ipvs_->set_timeouts({.tcp = 900s}));
}

TEST_F(Drain, ends_at_its_limit_and_what_is_left_is_reset) {
  options_.tcpDrainLimit = 60s;
  auto client = connected();
  change_to(serving({3}));
  clock_.advance(59s);
  EXPECT_EQ(verify(), "");
  EXPECT_EQ(destinations(Protocol::tcp), "pod2:0 pod3:1");
  EXPECT_EQ(name_in(client.ask()), "pod2");
  clock_.advance(1s);
  EXPECT_EQ(verify(), "");
  EXPECT_EQ(destinations(Protocol::tcp), "pod3:1");
  const auto answer = client.ask();
  ASSERT_FALSE(answer) << *answer;
  EXPECT_EQ(answer.error().sys(), ECONNRESET) << answer.error().what();
  EXPECT_EQ(ask(kWeb), "pod3");
}

TEST_F(Drain, an_endpoint_that_comes_back_takes_connections_again) {
  auto client = connected();
  change_to(serving({3}));
  change_to(serving({2}));
  EXPECT_EQ(ask(kWeb), "pod2");
  EXPECT_EQ(name_in(client.ask()), "pod2");
}

TEST_F(Drain, a_service_that_is_deleted_carries_its_connections_and_refuses_new_ones) {
  auto client = connected();
  auto none = serving({});
  none.frontends.clear();
  none.backendSets.clear();
  change_to(none);
  EXPECT_EQ(destinations(Protocol::tcp), "pod2:0");
  start(none);
  EXPECT_EQ(name_in(client.ask()), "pod2");
  auto late = TestClient::connect(bed_->pod(1).netns, kDns, Protocol::udp, 300ms);
  ASSERT_TRUE(late) << late.error().what();
  EXPECT_FALSE(late->ask());
}

TEST_F(Drain, what_somebody_else_changed_in_ipvs_is_repaired) {
  using namespace kernel::ipvs;
  start(serving({2, 3}));
  const SocketAddress pod2{bed_->pod(2).v4, Port{8080}}, pod4{bed_->pod(4).v4, Port{8080}};
  const auto damage_to = [&](const ServiceId &id) {
    return std::vector<std::pair<const char *, Op>>{
        {"a weight of 0", EditDestination{id, {.address = pod2, .weight = 0}}},
        {"a weight of 9", EditDestination{id, {.address = pod2, .weight = 9}}},
        {"a destination less", RemoveDestination{id, pod2}},
        {"a destination more", AddDestination{id, {.address = pod4}}},
        {"no service", RemoveService{id}},
        {"another scheduler", EditService{{.id = id, .scheduler = "sh"}}},
    };
  };
  for (std::size_t which = 0; which < damage_to(MarkId{}).size(); ++which) {
    const auto services = ipvs_->read_services().value();
    ASSERT_EQ(services.size(), 2U);
    for (const auto &info : services) {
      const auto [name, op] = damage_to(info.service.id).at(which);
      SCOPED_TRACE(name);
      ASSERT_TRUE(ipvs_->apply({op}));
      EXPECT_NE(verify(), "");
      start(table_); // what the daemon does then
      EXPECT_EQ(verify(), "");
      const std::set<std::string> names{ask(kWeb), ask(kWeb)};
      EXPECT_EQ(names, (std::set<std::string>{"pod2", "pod3"}));
    }
  }
}

TEST_F(Drain, rules_that_somebody_flushed_are_back_and_no_virtual_service_is_left_behind) {
  auto client = connected();
  change_to(serving({2, 3}));
  const auto before = destinations(Protocol::tcp);
  const auto flushed = proxy::test::run_inside(bed_->node(), {"nft", "flush", "ruleset"});
  ASSERT_TRUE(flushed) << flushed.error().what();
  EXPECT_NE(verify(), "");
  start_again();
  EXPECT_EQ(verify(), "");
  EXPECT_EQ(destinations(Protocol::tcp), before);
  EXPECT_EQ(ipvs_->read_services()->size(), 2U);
  EXPECT_EQ(name_in(client.ask()), "pod2");
}

} // namespace
} // namespace sluice::proxy::ipvs::test
