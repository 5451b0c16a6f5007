// When rounds happen, on fakes.
#include "kernel/fake/rtnl.hpp"
#include "kernel/nft/fake.hpp"
#include "node/loop.hpp"
#include "node/masquerade.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

namespace sluice::node {
namespace {

using namespace std::chrono_literals;
using Kind = kube::Change<kube::Node>::Kind;

kube::Node node(const std::string &name, const std::string &pods, const std::string &ip) {
  kube::Node made;
  made.metadata.name = name;
  made.podCIDRs = {pods};
  made.addresses = {{"InternalIP", ip}};
  return made;
}

/// Counts rounds, and lets a test wait for one.
class CountingRtnl final : public kernel::Rtnl {
public:
  Result<std::vector<kernel::Refusal>> apply_each(const kernel::RtnlBatch &batch) override {
    return under_.apply_each(batch);
  }
  Result<std::vector<kernel::Link>> read_links() override { return under_.read_links(); }
  Result<kernel::Link> read_link(const kernel::LinkRef &link) override {
    return under_.read_link(link);
  }
  Result<std::vector<kernel::LinkAddress>> read_addresses() override {
    rounds.put(0);
    return under_.read_addresses();
  }
  Result<std::vector<kernel::Route>> read_routes(Family family) override {
    return under_.read_routes(family);
  }
  Result<std::vector<kernel::Neighbour>> read_neighbours(Family family) override {
    return under_.read_neighbours(family);
  }
  Mailbox<int> rounds;

private:
  kernel::fake::Rtnl under_;
};

class node_loop : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("slc-loop-" + std::to_string(::getpid()));
    const auto made = rtnl.apply(
        kernel::RtnlBatch()
            .add(kernel::CreateBridge{.name = "uplink"})
            .add(kernel::AddAddress{.link = "uplink",
                                    .address = InterfaceAddress::parse("192.0.2.1/24").value()}));
    ASSERT_TRUE(made) << made.error().what();
  }
  void start(Rhythm rhythm) {
    loop.emplace(agent, mailbox, rhythm);
    thread = std::thread([this] { loop->run(); });
  }
  void TearDown() override {
    mailbox.close();
    if (thread.joinable())
      thread.join();
    std::filesystem::remove_all(folder);
  }
  void change(Kind kind, kube::Node object = {}) {
    mailbox.put(kube::Change<kube::Node>{kind, std::move(object)});
  }
  bool a_round_comes(std::chrono::milliseconds within = 20s) {
    return rtnl.rounds.take_until(std::chrono::steady_clock::now() + within).has_value();
  }

  std::filesystem::path folder;
  CountingRtnl rtnl;
  kernel::nft::fake::Nft nft{std::make_shared<kernel::nft::fake::Ruleset>()};
  Agent agent{rtnl, nft, kernel::Sysctl("/nowhere"), CniConfigFile(folder), {.node_name = "self"}};
  Mailbox<Event> mailbox;
  std::optional<Loop> loop;
  std::thread thread;
};

constexpr Rhythm kQuick{
    .after_node_change = 1ms, .after_kernel_change = 1ms, .retry = 1h, .resync = 1h};

TEST_F(node_loop, nothing_is_touched_before_the_first_complete_list) {
  start(kQuick);
  change(Kind::added, node("two", "10.244.1.0/24", "192.0.2.2"));
  mailbox.put(KernelChanged{});
  EXPECT_FALSE(a_round_comes(50ms));
  change(Kind::synced);
  EXPECT_TRUE(a_round_comes());
}

TEST_F(node_loop, a_change_that_does_not_concern_the_network_is_no_round) {
  start(kQuick);
  auto two = node("two", "10.244.1.0/24", "192.0.2.2");
  change(Kind::added, two);
  change(Kind::synced);
  ASSERT_TRUE(a_round_comes());
  two.conditions = {{"Ready", "True", "", "", ""}};
  change(Kind::modified, two);
  EXPECT_FALSE(a_round_comes(50ms));
  two.podCIDRs = {"10.244.3.0/24"};
  change(Kind::modified, two);
  EXPECT_TRUE(a_round_comes());
  change(Kind::deleted, two);
  EXPECT_TRUE(a_round_comes());
}

TEST_F(node_loop, changes_that_come_together_are_one_round) {
  auto rhythm = kQuick;
  rhythm.after_node_change = 300ms;
  for (int i = 0; i < 100; ++i)
    change(Kind::added,
           node("n" + std::to_string(i), "10.244." + std::to_string(i) + ".0/24", "192.0.2.9"));
  change(Kind::synced);
  start(rhythm);
  ASSERT_TRUE(a_round_comes());
  EXPECT_FALSE(a_round_comes(50ms));
}

TEST_F(node_loop, a_failure_is_tried_again) {
  auto rhythm = kQuick;
  rhythm.retry = 1ms;
  start(rhythm);
  change(Kind::added, node("self", "10.244.0.0/24", "192.0.2.1")); // there are no sysctls
  change(Kind::synced);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(a_round_comes());
}

TEST_F(node_loop, a_dry_run_waits_for_the_nodes_and_changes_nothing) {
  Loop dry(agent, mailbox);
  EXPECT_EQ(dry.plan_once(1ms).error().code(), Errc::timeout);
  change(Kind::added, node("two", "10.244.1.0/24", "192.0.2.2"));
  change(Kind::synced);
  const auto actions = dry.plan_once(20s);
  ASSERT_TRUE(actions) << actions.error().what();
  EXPECT_EQ(actions->links_and_routes.str(), "route add 10.244.1.0/24 via 192.0.2.2 proto 83\n");
  EXPECT_EQ(rtnl.read_routes(Family::ipv4)->size(), 1U) << "the connected one";
}

} // namespace
} // namespace sluice::node
