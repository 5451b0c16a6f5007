#include "proxy/retirement.hpp"
#include "proxy/tests/fake_dataplane.hpp"

#include <future>
#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

/// Needs so many looks until its last connection has ended.
class Draining final : public Dataplane {
public:
  Draining(int looks, std::atomic<int> &drained, std::atomic<int> &removed)
      : looks_(looks), drained_(drained), removed_(removed) {}
  Result<> start(const Table &) override { return {}; }
  Result<> apply(const TableDelta &) override { return {}; }
  Result<Drift> verify(const Table &) override { return Drift{}; }
  Result<> remove() override {
    ++removed_;
    return {};
  }
  Result<bool> drain() override {
    ++drained_;
    if (looks_ == 2)
      return looks_ = 1, fail(Errc::busy, "not now");
    return --looks_ <= 0;
  }
  Result<Explanation> explain(const Flow &) override { return Explanation{}; }

private:
  int looks_;
  std::atomic<int> &drained_, &removed_;
};

struct Watched {
  std::atomic<int> drained{0}, removed{0}, errors{0};
  std::promise<std::string> gone;

  Retirement::Options options(Clock::duration timeout) {
    return {timeout, std::chrono::milliseconds(1),
            [this](const std::string &name) { gone.set_value(name); },
            [this](const std::string &, const Error &) { ++errors; }};
  }
  std::vector<Retirement::Retiree> retirees(int looks) {
    std::vector<Retirement::Retiree> out;
    out.push_back({"ipvs, IPv4", std::make_unique<Draining>(looks, drained, removed)});
    return out;
  }
};

TEST(retirement, whoever_has_open_connections_stays_until_they_ended) {
  Watched watched;
  Retirement retirement(watched.retirees(5), watched.options(std::chrono::hours(1)));
  EXPECT_EQ(watched.gone.get_future().get(), "ipvs, IPv4");
  EXPECT_GE(watched.drained.load(), 5);
  EXPECT_EQ(watched.errors.load(), 1);
  EXPECT_EQ(watched.removed.load(), 0);
}

TEST(retirement, when_the_time_is_over_it_is_removed) {
  Watched watched;
  Retirement retirement(watched.retirees(1'000'000),
                        watched.options(std::chrono::milliseconds(20)));
  EXPECT_EQ(watched.gone.get_future().get(), "ipvs, IPv4");
  EXPECT_EQ(watched.removed.load(), 1);
}

TEST(retirement, an_end_in_the_middle_leaves_the_rest_in_the_kernel) {
  Watched watched;
  {
    Retirement retirement(watched.retirees(1'000'000), watched.options(std::chrono::hours(1)));
    const std::vector<std::string> one{"ipvs, IPv4"};
    EXPECT_EQ(retirement.present(), one);
    while (watched.drained < 2) { // the first look is over
      const auto draining = retirement.draining();
      EXPECT_TRUE(draining.empty() || draining == one);
    }
    EXPECT_EQ(retirement.draining(), one);
  }
  EXPECT_EQ(watched.removed.load(), 0);
}

} // namespace
} // namespace sluice::proxy
