// Debian's plugins and ours on one node, one bridge and one address store, all at once: a node in
// the middle of changing over.
#include "cni/protocol/result.hpp"
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <random>
#include <unistd.h>

namespace sluice::integration {
namespace {

using cni::Command;

constexpr int kPods = 16;
constexpr int kRounds = 5;
constexpr const char *kTheirs = "/usr/lib/cni";

/// `bridge` of one kind with `host-local` of the same or the other.
struct Kind {
  std::string bridge, folder;
};

class Changeover {
public:
  Changeover() {
    (void)driver.program("host-local");
    const auto ours = driver.program("bridge"), folder = driver.folder().path() + "/bin";
    for (const auto &bridge : {ours, std::string(kTheirs) + "/bridge"})
      for (const auto &ipam : {folder, std::string(kTheirs)})
        kinds.push_back({bridge, ipam});
    for (int pod = 0; pod < kPods; ++pod)
      driver.pod("c" + std::to_string(pod));
    config = driver.config(
        R"("isDefaultGateway":true,)",
        R"("type":"host-local","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])");
    config.replace(config.find("1.1.0"), 5, "1.0.0"); // Debian 12's newest
  }

  /// ADD and DEL of one pod, each by any kind. Dead addresses leave `held_` before DEL begins.
  void live(const std::string &id, unsigned seed) {
    std::mt19937 random(seed);
    const auto any = [&]() -> const Kind & {
      return kinds[std::uniform_int_distribution<std::size_t>(0, kinds.size() - 1)(random)];
    };
    for (int round = 0; round < kRounds; ++round) {
      const auto &adder = any(), &deleter = any();
      const auto added =
          driver.call(Command::add, id, config, {{"CNI_PATH", adder.folder}}, adder.bridge);
      EXPECT_EQ(added.exit_status, 0) << adder.bridge << ", " << adder.folder << added.output;
      const auto ips = added.exit_status == 0 ? hold(added.output) : std::set<std::string>();
      let_go(ips);
      const auto gone =
          driver.call(Command::del, id, config, {{"CNI_PATH", deleter.folder}}, deleter.bridge);
      EXPECT_EQ(gone.exit_status, 0) << deleter.bridge << ", " << deleter.folder << gone.output;
    }
  }

  cni::Driver driver;
  std::vector<Kind> kinds;
  std::string config;

private:
  std::set<std::string> hold(const std::string &answer) {
    std::set<std::string> ips;
    const auto result = cni::parse_result(answer, cni::kLatestVersion);
    EXPECT_TRUE(result && result->ips.size() == 2) << answer;
    const std::lock_guard lock(mutex_);
    for (const auto &ip : result->ips) {
      ips.insert(ip.address.ip.str());
      EXPECT_TRUE(held_.insert(ip.address.ip.str()).second) << "given twice: " << answer;
    }
    return ips;
  }
  void let_go(const std::set<std::string> &ips) {
    const std::lock_guard lock(mutex_);
    for (const auto &ip : ips)
      held_.erase(ip);
  }

  std::mutex mutex_;
  std::set<std::string> held_;
};

TEST(cni_mixed, sixteen_pods_of_both_kinds_at_once_share_a_store_and_leave_nothing) {
  if (::access("/usr/lib/cni/bridge", X_OK) != 0)
    GTEST_SKIP() << "/usr/lib/cni/bridge is not installed (Debian package "
                    "containernetworking-plugins)";
  Changeover node;
  // Their plugin does not expect another to make the bridge at the same time.
  node.live("first", 1);
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::vector<std::thread> threads;
  for (unsigned pod = 0; pod < kPods; ++pod)
    threads.emplace_back([&node, pod, seed] { node.live("c" + std::to_string(pod), seed + pod); });
  for (auto &thread : threads)
    thread.join();
  EXPECT_EQ(node.driver.reserved(), "");
  EXPECT_EQ(node.driver.on_host("ip -br link show type veth"), "");
  EXPECT_EQ(node.driver.on_host("nft list ruleset"), "");
  for (int pod = 0; pod < kPods; ++pod)
    EXPECT_EQ(node.driver.in_pod("c" + std::to_string(pod), "ip -br link show type veth"), "");
}

} // namespace
} // namespace sluice::integration
