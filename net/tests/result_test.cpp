#include "net/result.hpp"

#include <cerrno>
#include <gtest/gtest.h>

namespace sluice {
namespace {

Result<int> parse_answer(bool good) {
  if (!good)
    return fail(Errc::not_found, "no answer");
  return 42;
}

Result<> use_answer(bool good, int &seen) {
  SLUICE_ASSIGN(const int answer, parse_answer(good), "ask");
  seen = answer;
  return {};
}

Result<> outer(bool good, int &seen) {
  SLUICE_TRY(use_answer(good, seen), "use");
  return {};
}

TEST(net_result, context_is_put_in_front_outermost_first) {
  int seen = 0;
  const auto result = outer(false, seen);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what(), "use: ask: no answer");
  EXPECT_EQ(result.error().code(), Errc::not_found);
  EXPECT_EQ(seen, 0);
  EXPECT_TRUE(outer(true, seen));
  EXPECT_EQ(seen, 42);
}

TEST(net_result, errno_keeps_its_number_and_gives_a_code) {
  const auto error = Error::from_errno(ENODEV, "open link \"eth9\"");
  EXPECT_EQ(error.what(), "open link \"eth9\": No such device");
  EXPECT_EQ(error.sys(), ENODEV);
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_EQ(Error::from_errno(EEXIST, "x").code(), Errc::already_exists);
  EXPECT_EQ(Error::from_errno(99999, "x").what(), "x: errno 99999");
}

} // namespace
} // namespace sluice
