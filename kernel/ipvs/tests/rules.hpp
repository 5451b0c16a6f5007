#pragma once
// What callers of Ipvs depend on, as one suite: run against the fake, and in the stock kernel
// against IPVS itself.

#include "kernel/ipvs/ipvs.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel::ipvs::testing {

/// In a fresh namespace; nothing, and why, if this kernel has no IPVS.
using Factory = std::function<Result<std::unique_ptr<Ipvs>>()>;

class IpvsRules : public ::testing::TestWithParam<Factory> {
protected:
  void SetUp() override;
  /// The errno of one operation; 0 if it was accepted.
  int try_one(const Op &op);

  std::unique_ptr<Ipvs> ipvs;
};

} // namespace sluice::kernel::ipvs::testing
