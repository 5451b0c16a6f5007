#include "kernel/cgroup.hpp"
#include "kernel/spawn.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::kernel {
namespace {

using namespace std::chrono_literals;

class kernel_cgroup : public testing::Test {
protected:
  void SetUp() override {
    const auto mount = find_cgroup2();
    if (!mount)
      GTEST_SKIP() << mount.error().what();
    path = *mount + "/slc-test-" + std::to_string(::getpid());
  }
  void TearDown() override {
    if (!path.empty()) {
      EXPECT_TRUE(destroy_cgroup(path, 10s));
    }
  }
  std::string path;
};

TEST_F(kernel_cgroup, a_child_is_born_inside_and_all_end_together) {
  const auto outer = Cgroup::create(path);
  ASSERT_TRUE(outer) << outer.error().what();
  const auto inner = Cgroup::create(path + "/pods/one");
  ASSERT_TRUE(inner) << inner.error().what();
  auto child = spawn({.argv = {"sh", "-c", "sleep 1000 & sleep 1000"}, .cgroup_fd = inner->fd()});
  ASSERT_TRUE(child) << child.error().what();
  const auto pids = outer->pids();
  ASSERT_TRUE(pids) << pids.error().what();
  EXPECT_NE(std::find(pids->begin(), pids->end(), child->pid()), pids->end());

  const auto busy = outer->remove();
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), Errc::busy);
  const auto waited = outer->wait_empty(1ms);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), Errc::timeout);
  EXPECT_NE(waited.error().what().find(std::to_string(child->pid())), std::string::npos);

  EXPECT_TRUE(outer->kill_all());
  EXPECT_EQ(child->wait_for(10s)->signal, SIGKILL);
  EXPECT_TRUE(outer->wait_empty(10s));
  EXPECT_TRUE(outer->remove());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(outer->remove()) << "removing what is gone is no error";
}

TEST_F(kernel_cgroup, a_child_lives_in_a_cgroup_that_was_killed_before) {
  const auto cgroup = Cgroup::create(path);
  ASSERT_TRUE(cgroup) << cgroup.error().what();
  ASSERT_TRUE(cgroup->kill_all());
  auto child = spawn({.argv = {"sh", "-c", "exit 3"}, .cgroup_fd = cgroup->fd()});
  ASSERT_TRUE(child) << child.error().what();
  EXPECT_EQ(child->wait_for(10s)->str(), "exited with 3");
}

TEST_F(kernel_cgroup, a_process_can_be_moved) {
  const auto cgroup = Cgroup::create(path);
  ASSERT_TRUE(cgroup) << cgroup.error().what();
  auto child = spawn({.argv = {"sleep", "1000"}});
  ASSERT_TRUE(child);
  EXPECT_TRUE(cgroup->add(child->pid()));
  EXPECT_EQ(cgroup->pids().value(), std::vector<pid_t>{child->pid()});
  EXPECT_TRUE(destroy_cgroup(path, 10s));
  EXPECT_EQ(child->wait_for(10s)->signal, SIGKILL);
}

TEST_F(kernel_cgroup, only_cgroup2_is_taken) {
  EXPECT_EQ(Cgroup::open("/tmp").error().code(), Errc::invalid_input);
  EXPECT_EQ(Cgroup::create("/tmp/slc-no-cgroup").error().code(), Errc::invalid_input);
  EXPECT_FALSE(std::filesystem::exists("/tmp/slc-no-cgroup"));
  EXPECT_EQ(Cgroup::open(path + "/missing").error().code(), Errc::not_found);
}

TEST(kernel_cgroup_mount, is_found_in_both_layouts) {
  const auto file =
      std::filesystem::temp_directory_path() / ("slc-mounts-" + std::to_string(::getpid()));
  const auto found_in = [&](const char *mounts) {
    std::ofstream(file) << mounts;
    return find_cgroup2(file);
  };
  EXPECT_EQ(found_in("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n").value(), "/sys/fs/cgroup");
  EXPECT_EQ(found_in("tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
                     "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
                     "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n")
                .value(),
            "/sys/fs/cgroup/unified");
  EXPECT_EQ(found_in("tmpfs / tmpfs rw 0 0\n").error().code(), Errc::not_found);
  std::filesystem::remove(file);
}

} // namespace
} // namespace sluice::kernel
