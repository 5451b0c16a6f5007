// Many at once. Death at any point: integration/cni/crash_test.cpp.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace sluice::cni {
namespace {

TEST(cni_races, thirty_two_pods_at_once_get_one_bridge_and_addresses_of_their_own) {
  constexpr int kPods = 32;
  Driver driver;
  std::vector<PluginRun> runs(kPods);
  for (int i = 0; i < kPods; ++i)
    driver.pod("c" + std::to_string(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < kPods; ++i)
    threads.emplace_back(
        [&, i] { runs[static_cast<std::size_t>(i)] = driver.add("c" + std::to_string(i)); });
  for (auto &thread : threads)
    thread.join();
  std::set<std::string> ips;
  for (const auto &run : runs) {
    ASSERT_EQ(run.exit_status, 0) << run.output;
    ips.insert(parse_result(run.output, kLatestVersion)->ips.at(0).address.str());
  }
  EXPECT_EQ(ips.size(), std::size_t{kPods});
  EXPECT_EQ(driver.on_host("ip -br link show type bridge | wc -l"), "1\n");
  EXPECT_EQ(driver.on_host("ip -br link show master cni0 | wc -l"), "32\n");
  EXPECT_EQ(driver.on_host("nft list table inet sluice-cni | grep -c masquerade"), "2\n");

  threads.clear();
  for (int i = 0; i < kPods; ++i)
    threads.emplace_back([&, i] { EXPECT_EQ(driver.del("c" + std::to_string(i)).exit_status, 0); });
  for (auto &thread : threads)
    thread.join();
  EXPECT_EQ(driver.reserved(), "");
  EXPECT_EQ(driver.on_host("ip -br link show type veth"), "");
}

} // namespace
} // namespace sluice::cni
