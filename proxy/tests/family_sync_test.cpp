#include "proxy/family_sync.hpp"
#include "proxy/tests/fake_dataplane.hpp"
#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;
using Kind = SyncOutcome::Kind;
using test::slice_of;

struct Fixture {
  FakeClock clock;
  test::FakeKernel kernel;
  kube::Service service = test::service_s();
  FamilySync sync;

  explicit Fixture(SyncPeriods periods = {})
      : sync(std::make_unique<Model>(Family::ipv4, "n1"),
             std::make_unique<test::FakeDataplane>(kernel), periods, clock) {
    sync.model().set_node(test::node_n1(), "");
    sync.model().update(service);
    endpoints("L R");
  }

  void endpoints(const std::string &text) {
    if (sync.model().update(slice_of(service, text)))
      sync.changed(clock.now());
  }

  /// What was done, in order, until nothing was left to do.
  std::vector<Kind> run() {
    std::vector<Kind> kinds;
    while (const auto outcome = sync.step())
      kinds.push_back(outcome->kind);
    return kinds;
  }

  void start() {
    sync.allow();
    run();
  }
};

using Kinds = std::vector<Kind>;

TEST(proxy_family_sync, nothing_is_written_before_it_is_allowed) {
  Fixture f;
  f.clock.advance(1h);
  EXPECT_EQ(f.run(), Kinds{});
  EXPECT_EQ(f.kernel.starts, 0U);
  f.sync.allow();
  EXPECT_EQ(f.run(), Kinds{Kind::started});
  EXPECT_EQ(f.kernel.table, f.sync.model().table());
}

TEST(proxy_family_sync, a_change_is_applied_at_once) {
  Fixture f;
  f.start();
  f.endpoints("L");
  EXPECT_LE(f.sync.deadline(), f.clock.now());
  EXPECT_EQ(f.run(), Kinds{Kind::applied});
  EXPECT_EQ(f.kernel.table, f.sync.model().table());
}

TEST(proxy_family_sync, changes_that_cancel_out_write_nothing) {
  Fixture f;
  f.start();
  f.endpoints("L");
  f.endpoints("L R");
  EXPECT_EQ(f.run(), Kinds{Kind::unchanged});
  EXPECT_EQ(f.kernel.applies, 0U);
}

TEST(proxy_family_sync, changes_within_the_least_interval_are_merged) {
  Fixture f({1s, 30s});
  f.start();
  f.clock.advance(2s);
  f.endpoints("L");
  EXPECT_EQ(f.run(), Kinds{Kind::applied}) << "the first is not held up";
  for (int i = 0; i < 1000; ++i) {
    f.clock.advance(1ms);
    f.endpoints(i % 2 != 0 ? "L L2" : "L L2 R");
    f.run();
  }
  f.clock.advance(1s);
  f.run();
  EXPECT_LE(f.kernel.applies, 3U);
  EXPECT_EQ(f.kernel.table, f.sync.model().table());
}

TEST(proxy_family_sync, after_a_failure_the_kernel_is_read_back_at_once_and_then_with_back_off) {
  Fixture f;
  f.start();
  f.kernel.failures = 3;
  f.endpoints("L");
  EXPECT_EQ(f.run(), (Kinds{Kind::failed, Kind::failed}));
  EXPECT_EQ(f.kernel.starts, 2U) << "one at the beginning, one right after the refusal";
  EXPECT_TRUE(f.sync.oldest_change()) << "the change is not in the kernel";
  f.clock.advance(999ms);
  EXPECT_EQ(f.run(), Kinds{});
  f.clock.advance(1ms);
  EXPECT_EQ(f.run(), Kinds{Kind::failed});
  f.clock.advance(1999ms);
  EXPECT_EQ(f.run(), Kinds{});
  f.clock.advance(1ms);
  EXPECT_EQ(f.run(), Kinds{Kind::started});
  EXPECT_EQ(f.kernel.table, f.sync.model().table());
  EXPECT_FALSE(f.sync.oldest_change());
}

TEST(proxy_family_sync, the_back_off_ends_at_the_sync_period) {
  Fixture f;
  f.kernel.failures = 100;
  f.sync.allow();
  Clock::duration last{};
  for (int i = 0; i < 12; ++i) {
    const auto outcome = f.sync.step();
    ASSERT_TRUE(outcome);
    last = outcome->retryIn;
    f.clock.advance(last);
  }
  EXPECT_EQ(last, 30s);
}

TEST(proxy_family_sync, while_somebody_else_is_writing_the_change_waits_and_is_not_lost) {
  Fixture f;
  f.start();
  f.kernel.busy = true;
  f.endpoints("L");
  EXPECT_EQ(f.run(), Kinds{Kind::waiting});
  EXPECT_EQ(f.sync.deadline(), f.clock.now() + 100ms);
  f.clock.advance(100ms);
  EXPECT_EQ(f.run(), Kinds{Kind::waiting});
  EXPECT_TRUE(f.sync.oldest_change());
  f.kernel.busy = false;
  f.clock.advance(100ms);
  const auto outcome = f.sync.step();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, Kind::applied);
  EXPECT_EQ(outcome->changed.size(), 1U);
  EXPECT_EQ(f.kernel.table, f.sync.model().table());
  EXPECT_EQ(f.kernel.starts, 1U);
}

TEST(proxy_family_sync, what_somebody_else_changed_is_repaired_at_once) {
  Fixture f;
  f.start();
  f.kernel.table.frontends.clear();
  f.sync.kernel_changed();
  EXPECT_EQ(f.run(), Kinds{Kind::repaired});
  EXPECT_EQ(f.kernel.table, f.sync.model().table());
}

TEST(proxy_family_sync, somebody_who_does_not_stop_gets_one_read_back_a_second) {
  Fixture f;
  f.start();
  for (int i = 0; i < 3000; ++i) {
    f.clock.advance(1ms);
    f.sync.kernel_changed();
    f.run();
  }
  EXPECT_GE(f.kernel.verifies, 3U);
  EXPECT_LE(f.kernel.verifies, 4U);
}

TEST(proxy_family_sync, the_kernel_is_read_back_each_sync_period_without_a_notice) {
  Fixture f;
  f.start();
  f.clock.advance(29s);
  EXPECT_EQ(f.run(), Kinds{});
  f.clock.advance(1s);
  EXPECT_EQ(f.run(), Kinds{Kind::verified});
  f.kernel.table.backendSets.clear();
  f.clock.advance(30s);
  EXPECT_EQ(f.run(), Kinds{Kind::repaired});
}

} // namespace
} // namespace sluice::proxy
