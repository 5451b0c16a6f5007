#include "kernel/ipvs/tests/rules.hpp"
#include "kernel/netns.hpp"

namespace sluice::kernel::ipvs::testing {
namespace {

/// The namespace lives as long as the socket does.
Result<std::unique_ptr<Ipvs>> fresh_namespace() {
  SLUICE_ASSIGN(const auto ns, NetNs::create(), "make a namespace");
  SLUICE_ASSIGN(auto socket, ns.run([] { return IpvsSocket::open(); }), "in a namespace");
  return std::unique_ptr<Ipvs>(std::make_unique<IpvsSocket>(std::move(socket)));
}

INSTANTIATE_TEST_SUITE_P(kernel, IpvsRules, ::testing::Values(Factory(fresh_namespace)));

TEST(kernel_ipvs, a_kernel_without_ipvs_says_what_to_do) {
  const auto opened = fresh_namespace();
  if (opened)
    GTEST_SKIP() << "this kernel has IPVS";
  EXPECT_EQ(opened.error().code(), Errc::unsupported);
  EXPECT_NE(opened.error().what().find("modprobe ip_vs"), std::string::npos)
      << opened.error().what();
}

} // namespace
} // namespace sluice::kernel::ipvs::testing
