#include "kernel/fake/rtnl.hpp"
#include "kernel/tests/rtnl_rules.hpp"

#include <cerrno>

namespace sluice::kernel::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(fake, RtnlRules, ::testing::Values(RtnlFactory([] {
                           return std::make_unique<fake::Rtnl>();
                         })));

TEST(kernel_fake_rtnl, an_operation_fails_on_demand) {
  fake::Rtnl rtnl;
  rtnl.fail_operation(1, EBUSY);
  const auto refused = rtnl.apply_each(RtnlBatch()
                                           .add(CreateBridge{.name = "a"})
                                           .add(CreateBridge{.name = "b"})
                                           .add(CreateBridge{.name = "c"}));
  ASSERT_EQ(refused->size(), 1U);
  EXPECT_EQ(refused->front().operation, 1U);
  EXPECT_EQ(refused->front().error.sys(), EBUSY);
  EXPECT_EQ(rtnl.tried(), 3U);
  EXPECT_TRUE(rtnl.apply(RtnlBatch().add(CreateBridge{.name = "b"})));
}

} // namespace
} // namespace sluice::kernel::testing
