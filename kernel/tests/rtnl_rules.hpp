#pragma once
// The rules of rtnetlink that callers depend on, as one suite: the unit tests run it against the
// fake, the kernel tests against the kernel.

#include "kernel/netns.hpp"
#include "kernel/rtnl.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel::testing {

/// A fresh namespace of either kind.
using RtnlFactory = std::function<std::unique_ptr<Rtnl>()>;

class RtnlRules : public ::testing::TestWithParam<RtnlFactory> {
protected:
  void SetUp() override;
  /// The errno of one operation; 0 if it was accepted.
  int try_one(RtnlOp op);
  IfIndex index_of(const std::string &name);
  /// The routes with our protocol number, sorted.
  std::vector<Route> our_routes(Family family);

  std::unique_ptr<Rtnl> rtnl;
};

} // namespace sluice::kernel::testing
