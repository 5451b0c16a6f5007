#include "kernel/mount.hpp"
#include "kernel/netns.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/spawn.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::kernel {
namespace {

TEST(kernel_netns, a_new_namespace_has_only_its_loopback_and_that_is_up) {
  const auto ns = NetNs::create();
  ASSERT_TRUE(ns) << ns.error().what();
  EXPECT_NE(ns->inode(), NetNs::current()->inode());
  auto rtnl = ns->run([] { return RtnlSocket::open(); });
  ASSERT_TRUE(rtnl) << rtnl.error().what();
  const auto links = rtnl->read_links();
  ASSERT_TRUE(links) << links.error().what();
  ASSERT_EQ(links->size(), 1U);
  EXPECT_EQ(links->front().name, "lo");
  EXPECT_TRUE(links->front().up);
}

TEST(kernel_netns, running_inside_moves_no_thread_of_the_caller) {
  const auto ns = NetNs::create();
  ASSERT_TRUE(ns) << ns.error().what();
  const auto before = NetNs::current()->inode();
  const auto inside = ns->run([]() -> Result<std::uint64_t> { return NetNs::current()->inode(); });
  EXPECT_EQ(inside.value(), ns->inode());
  EXPECT_EQ(NetNs::current()->inode(), before);
}

TEST(kernel_netns, what_is_no_network_namespace_is_refused) {
  const auto missing = NetNs::open("/run/netns/slc-there-is-none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
  for (const auto *path : {"/proc/self/status", "/proc/self/ns/mnt", "/", "/dev/null"}) {
    SCOPED_TRACE(path);
    const auto opened = NetNs::open(path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Errc::invalid_input);
    EXPECT_NE(opened.error().what().find(path), std::string::npos);
  }
}

TEST(kernel_netns, a_named_namespace_lives_until_it_is_removed) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("slc-netns-" + std::to_string(::getpid()));
  const auto path = (folder / "one").string();
  const auto made = NetNs::create_named(path);
  ASSERT_TRUE(made) << made.error().what();
  EXPECT_EQ(NetNs::open(path)->inode(), made->inode());

  const auto again = NetNs::create_named(path);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::already_exists);
  EXPECT_EQ(NetNs::open(path)->inode(), made->inode());

  EXPECT_TRUE(NetNs::remove_named(path));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(NetNs::remove_named(path)) << "removing what is gone is no error";
  std::filesystem::remove_all(folder);
}

TEST(kernel_netns, ip_netns_exec_sees_a_named_namespace) {
  // In a mount namespace of its own with an empty /run, so that nothing is left behind here.
  const auto mounts = MountNs::create([]() -> Result<> {
    SLUICE_TRY(mount_tmpfs("/run"), "arrange");
    const auto covered = mounts_below("/run/netns")->size(); // below the new /run
    SLUICE_ASSIGN(const auto ns, NetNs::create_named("/run/netns/slc-one"), "arrange");
    const auto listed =
        run_program({.argv = {"ip", "netns", "exec", "slc-one", "readlink", "/proc/self/ns/net"},
                     .mount_ns_fd = MountNs::open("/proc/thread-self/ns/mnt")->fd()},
                    "", std::chrono::seconds(20));
    EXPECT_TRUE(listed) << listed.error().what();
    EXPECT_EQ(listed->stdout_text, "net:[" + std::to_string(ns.inode()) + "]\n")
        << listed->stderr_text;
    EXPECT_EQ(mounts_below("/run/netns")->size(), covered + 2)
        << "the namespace, and the folder itself";
    return NetNs::remove_named("/run/netns/slc-one");
  });
  EXPECT_TRUE(mounts) << mounts.error().what();
}

} // namespace
} // namespace sluice::kernel
