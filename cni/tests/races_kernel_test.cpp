// Many at once, and death at any point.
#include "cni/tests/driver.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <random>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/// Starts ADD, kills it after `delay` unless it ended before, and waits for its end.
void add_and_kill(Driver &driver, const std::string &id, std::chrono::microseconds delay) {
  const auto variables = driver.variables_of(Command::add, id);
  const auto config = driver.usual();
  const auto done = driver.host().run([&]() -> Result<> {
    std::vector<std::string> strings;
    for (const auto &[name, value] : variables)
      strings.push_back(name + "=" + value);
    std::vector<char *> environment;
    for (auto &text : strings)
      environment.push_back(text.data());
    environment.push_back(nullptr);
    const auto input = driver.folder().path() + "/config";
    write_file(input, config);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    std::string program = std::string(SLUICE_BIN_DIR) + "/sluice";
    std::array<char *, 2> arguments = {program.data(), nullptr};
    pid_t pid = -1;
    const int err = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(),
                                  environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (err != 0)
      return fail(Error::from_errno(err, "start the plugin"));
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd end = {process.get(), POLLIN, 0};
    const timespec wait = {0, static_cast<long>(delay.count() * 1000)};
    if (::ppoll(&end, 1, &wait, nullptr) == 0)
      ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return {};
  });
  EXPECT_TRUE(done) << done.error().what();
}

/// SLUICE_KILL_ROUNDS=1000 is the long form.
TEST(cni_races, a_plugin_killed_anywhere_is_cleaned_up_by_del) {
  const auto *wanted = std::getenv("SLUICE_KILL_ROUNDS");
  const int rounds = wanted ? std::atoi(wanted) : 20;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> microseconds(100, 6000);
  Driver driver;
  for (int round = 0; round < rounds; ++round) {
    const auto id = "k" + std::to_string(round);
    add_and_kill(driver, id, std::chrono::microseconds(microseconds(random)));
    const auto removed = driver.del(id);
    ASSERT_EQ(removed.exit_status, 0) << removed.output;
    ASSERT_EQ(driver.reserved(), "") << "round " << round;
    ASSERT_EQ(driver.on_host("ip -br link show type veth"), "") << "round " << round;
    const auto again = driver.add(id);
    ASSERT_EQ(again.exit_status, 0) << again.output;
    ASSERT_EQ(driver.del(id).exit_status, 0);
    driver.remove_pod(id);
  }
}

} // namespace
} // namespace sluice::cni
