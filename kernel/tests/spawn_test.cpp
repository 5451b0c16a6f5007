#include "kernel/mount.hpp"
#include "kernel/netns.hpp"
#include "kernel/spawn.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace sluice::kernel {
namespace {

using namespace std::chrono_literals;

Output run(SpawnOptions options, std::string_view input = "") {
  auto output = run_program(std::move(options), input, 20s);
  EXPECT_TRUE(output) << output.error().what();
  return output ? *output : Output{};
}

TEST(kernel_spawn, a_program_gets_input_environment_and_folder) {
  const auto output = run({.argv = {"sh", "-c", "cat; echo $WORD; pwd; echo oops >&2; exit 3"},
                           .environment = {{"PATH=/usr/bin:/bin", "WORD=hello"}},
                           .working_directory = "/usr"},
                          "given\n");
  EXPECT_EQ(output.stdout_text, "given\nhello\n/usr\n");
  EXPECT_EQ(output.stderr_text, "oops\n");
  EXPECT_EQ(output.status.code, 3);
  EXPECT_EQ(output.status.str(), "exited with 3");
}

TEST(kernel_spawn, large_output_does_not_block) {
  const auto output = run({.argv = {"head", "-c", "3000000", "/dev/zero"}});
  EXPECT_EQ(output.stdout_text.size(), 3000000U);
}

TEST(kernel_spawn, what_fails_in_the_child_is_an_error_of_the_call) {
  struct Case {
    const char *name;
    SpawnOptions options;
    Errc code;
    const char *words;
    int line;
  };
  const UniqueFd no_namespace(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Case cases[] = {
      {"no program", {.argv = {"/nowhere/at/all"}}, Errc::not_found, "/nowhere/at/all", __LINE__},
      {"not on PATH", {.argv = {"slc-no-such"}}, Errc::not_found, "slc-no-such", __LINE__},
      {"nothing to run", {}, Errc::invalid_input, "no name", __LINE__},
      {"a folder that is not there",
       {.argv = {"true"}, .working_directory = "/nowhere"},
       Errc::not_found,
       "/nowhere",
       __LINE__},
      {"no namespace",
       {.argv = {"true"}, .netns_fd = no_namespace.get()},
       Errc::invalid_input,
       "network namespace",
       __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto child = spawn(c.options);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code(), c.code) << child.error().what();
    EXPECT_NE(child.error().what().find(c.words), std::string::npos) << child.error().what();
  }
}

TEST(kernel_spawn, a_child_is_waited_for_signalled_and_reaped) {
  auto child = spawn({.argv = {"sleep", "1000"}});
  ASSERT_TRUE(child) << child.error().what();
  EXPECT_EQ(child->wait_for(1ms).error().code(), Errc::timeout);
  const auto status = child->stop(10s);
  ASSERT_TRUE(status) << status.error().what();
  EXPECT_EQ(status->signal, SIGTERM);
  EXPECT_EQ(status->shell_code(), 143);
  EXPECT_EQ(status->str(), "killed by signal 15 (Terminated)");
  EXPECT_TRUE(child->signal(SIGKILL)) << "it has ended already";
}

TEST(kernel_spawn, who_ignores_sigterm_is_killed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read(ends[0]), write(ends[1]);
  auto child =
      spawn({.argv = {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done"},
             .stdout_fd = write.get()});
  ASSERT_TRUE(child) << child.error().what();
  char ready = 0;
  ASSERT_EQ(::read(read.get(), &ready, 1), 1);
  EXPECT_EQ(child->stop(50ms)->signal, SIGKILL);
}

TEST(kernel_spawn, a_program_that_takes_too_long_is_killed) {
  const auto output = run_program({.argv = {"sleep", "1000"}}, "", 50ms);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), Errc::timeout);
}

TEST(kernel_spawn, only_the_three_streams_are_inherited) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd left_open(::fcntl(null.get(), F_DUPFD, 200)); // without FD_CLOEXEC
  const auto name = std::to_string(left_open.get());
  const auto output =
      run({.argv = {"sh", "-c", "[ -e /proc/$$/fd/2 ] && [ ! -e /proc/$$/fd/" + name + " ]"}});
  EXPECT_EQ(output.status.code, 0);
}

TEST(kernel_spawn, signals_are_as_in_a_fresh_process) {
  ::signal(SIGUSR1, SIG_IGN);
  auto child = spawn({.argv = {"sleep", "1000"}});
  ::signal(SIGUSR1, SIG_DFL);
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->signal(SIGUSR1));
  EXPECT_EQ(child->wait_for(10s)->signal, SIGUSR1);
}

TEST(kernel_spawn, a_child_starts_in_the_namespaces_given) {
  const auto net = NetNs::create();
  ASSERT_TRUE(net) << net.error().what();
  const auto folder = std::filesystem::temp_directory_path();
  const auto mounts = MountNs::create([&]() -> Result<> {
    SLUICE_TRY(mount_tmpfs(folder), "arrange");
    std::ofstream(folder / "only-inside") << "seen";
    return {};
  });
  ASSERT_TRUE(mounts) << mounts.error().what();
  const auto output = run({.argv = {"sh", "-c",
                                    "cat " + (folder / "only-inside").string() +
                                        "; hostname; readlink /proc/self/ns/net; pwd"},
                           .netns_fd = net->fd(),
                           .mount_ns_fd = mounts->fd(),
                           .hostname = "pod-1"});
  EXPECT_EQ(output.stdout_text, "seenpod-1\nnet:[" + std::to_string(net->inode()) + "]\n/\n")
      << output.stderr_text;
  EXPECT_FALSE(std::filesystem::exists(folder / "only-inside"));
}

} // namespace
} // namespace sluice::kernel
