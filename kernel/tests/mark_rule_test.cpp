#include "kernel/mark_rule.hpp"
#include "kernel/netns.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel {
namespace {

TEST(kernel_mark_rule, is_added_once_found_and_removed) {
  const auto ns = NetNs::create();
  ASSERT_TRUE(ns) << ns.error().what();
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const MarkRule rule{family, 0x0800'0000, 0x0800'0000, 83, 830};
    auto other = rule;
    other.mask = 0xffff'ffff;
    const auto done = ns->run([&]() -> Result<> {
      EXPECT_FALSE(has_mark_rule(rule).value());
      SLUICE_TRY(add_mark_rule(rule), "first");
      SLUICE_TRY(add_mark_rule(rule), "again");
      EXPECT_TRUE(has_mark_rule(rule).value());
      EXPECT_FALSE(has_mark_rule(other).value());
      SLUICE_TRY(remove_mark_rule(other), "one that is not there");
      EXPECT_TRUE(has_mark_rule(rule).value());
      SLUICE_TRY(remove_mark_rule(rule), "first");
      EXPECT_FALSE(has_mark_rule(rule).value());
      return remove_mark_rule(rule);
    });
    EXPECT_TRUE(done) << name_of(family) << ": " << done.error().what();
  }
}

} // namespace
} // namespace sluice::kernel
