#include "net/diff.hpp"
#include "net/hash.hpp"

#include <gtest/gtest.h>
#include <random>

namespace sluice {
namespace {

using Table = std::map<int, int>;

Table applied(Table table, const Diff<int, int> &change) {
  for (const auto &[key, value] : change.set)
    table[key] = value;
  for (const auto key : change.remove)
    table.erase(key);
  return table;
}

TEST(net_diff, applied_to_the_actual_gives_the_desired_and_nothing_is_left_to_do) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto table = [&] {
    Table t;
    for (int i = 0; i < 20; ++i)
      t[static_cast<int>(random() % 30)] = static_cast<int>(random() % 3);
    return t;
  };
  for (int round = 0; round < 200; ++round) {
    const auto actual = table(), desired = table();
    EXPECT_EQ(applied(actual, diff(actual, desired)), desired);
    EXPECT_TRUE(diff(desired, desired).empty());
  }
}

TEST(net_diff, an_unchanged_value_is_no_operation) {
  const auto change = diff(Table{{1, 1}, {2, 2}, {3, 3}}, Table{{2, 2}, {3, 4}, {5, 5}});
  EXPECT_EQ(change.set, (Table{{3, 4}, {5, 5}}));
  EXPECT_EQ(change.remove, std::vector<int>{1});
}

TEST(net_hash, published_fnv_1a_values) {
  EXPECT_EQ(fnv1a_64(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a_64("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a_64("foobar"), 0x85944171f73967e8ULL);
  EXPECT_EQ(hex(0xaf63dc4c8601ec8cULL), "af63dc4c8601ec8c");
  EXPECT_EQ(hex(0xabc, 4), "0abc");
}

} // namespace
} // namespace sluice
