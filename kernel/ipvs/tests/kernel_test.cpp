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

TEST(kernel_ipvs, changes_in_another_namespace_hide_no_service) {
  auto ours = fresh_namespace();
  if (!ours)
    GTEST_SKIP() << ours.error().what();
  std::vector<Op> add, remove;
  for (std::uint32_t mark = 1; mark <= 600; ++mark) {
    add.push_back(AddService{{.id = MarkId{Family::ipv4, mark}}});
    remove.push_back(RemoveService{MarkId{Family::ipv4, mark}});
  }
  ASSERT_TRUE((*ours)->apply(add));
  std::atomic<bool> enough = false;
  std::thread elsewhere([&] {
    auto theirs = fresh_namespace();
    while (theirs && !enough)
      for (std::uint32_t i = 0; i < 600; i += 60) {
        EXPECT_TRUE((*theirs)->apply({add.begin() + i, add.begin() + i + 60}));
        EXPECT_TRUE((*theirs)->apply({remove.begin() + i, remove.begin() + i + 60}));
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
      }
  });
  for (int reading = 0; reading < 10; ++reading) {
    const auto services = (*ours)->read_services();
    EXPECT_TRUE(services) << services.error().what();
    EXPECT_EQ(services ? services->size() : 0, 600U);
  }
  enough = true;
  elsewhere.join();
}

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
