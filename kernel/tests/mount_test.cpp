#include "kernel/mount.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::kernel {
namespace {

namespace fs = std::filesystem;

class kernel_mount : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("slc-mount-" + std::to_string(::getpid()));
    fs::create_directories(folder / "a");
    fs::create_directories(folder / "b");
  }
  void TearDown() override { fs::remove_all(folder); }
  std::size_t mounts_here() const { return mounts_below(folder).value().size(); }
  fs::path folder;
};

TEST_F(kernel_mount, mounts_of_a_namespace_stay_inside_it) {
  const auto ns = MountNs::create([&]() -> Result<> {
    SLUICE_TRY(mount_tmpfs(folder / "a"), "arrange");
    fs::create_directories(folder / "a/deep");
    SLUICE_TRY(mount_tmpfs(folder / "a/deep", "size=64k"), "arrange");
    std::ofstream(folder / "a/file") << "text";
    return bind_mount(folder / "a", folder / "b");
  });
  ASSERT_TRUE(ns) << ns.error().what();
  EXPECT_EQ(mounts_here(), 0U);
  EXPECT_FALSE(fs::exists(folder / "a/file"));
  const auto inside = ns->run([&]() -> Result<> {
    EXPECT_EQ(mounts_below(folder).value(),
              (std::vector<std::string>{folder / "b", folder / "a/deep", folder / "a"}));
    EXPECT_TRUE(fs::exists(folder / "b/file"));
    SLUICE_TRY(remount_read_only(folder / "b"), "test");
    EXPECT_FALSE(std::ofstream(folder / "b/other").is_open());
    EXPECT_TRUE(unmount_tree(folder.string() + "/"));
    EXPECT_EQ(mounts_here(), 0U);
    EXPECT_TRUE(unmount_tree(folder)) << "nothing to unmount is no error";
    return {};
  });
  EXPECT_TRUE(inside) << inside.error().what();
}

TEST_F(kernel_mount, an_arrangement_that_fails_leaves_nothing) {
  const auto ns = MountNs::create([&]() -> Result<> {
    SLUICE_TRY(mount_tmpfs(folder / "a"), "arrange");
    return bind_mount(folder / "a", folder / "missing");
  });
  ASSERT_FALSE(ns);
  EXPECT_EQ(ns.error().code(), Errc::not_found);
  EXPECT_NE(ns.error().what().find((folder / "missing").string()), std::string::npos);
  EXPECT_EQ(mounts_here(), 0U);
}

TEST_F(kernel_mount, a_namespace_can_be_kept_by_a_file) {
  // Kept inside another namespace of our own, so that no mount can be left behind here.
  const auto outer = MountNs::create([&]() -> Result<> {
    SLUICE_TRY(mount_tmpfs(folder / "a"), "arrange");
    {
      SLUICE_ASSIGN(const auto kept, MountNs::create([&] { return mount_tmpfs(folder / "b"); }),
                    "make");
      SLUICE_TRY(kept.keep(folder / "a/ns"), "keep");
    }
    SLUICE_ASSIGN(const auto again, MountNs::open(folder / "a/ns"), "open");
    return again.run([&]() -> Result<> {
      EXPECT_EQ(mounts_below(folder / "b").value().size(), 1U);
      return {};
    });
  });
  EXPECT_TRUE(outer) << outer.error().what();
}

TEST_F(kernel_mount, a_namespace_can_always_be_kept_inside_another) {
  const auto outer = MountNs::create([&]() -> Result<> {
    SLUICE_TRY(mount_tmpfs(folder / "a"), "arrange");
    for (int i = 0; i < 40; ++i) {
      SLUICE_ASSIGN(const auto kept, MountNs::create([]() -> Result<> { return {}; }), "make");
      SLUICE_TRY(kept.keep(folder / ("a/" + std::to_string(i))),
                 "keep number " + std::to_string(i));
    }
    return {};
  });
  EXPECT_TRUE(outer) << outer.error().what();
}

TEST(kernel_mount_text, strange_names_are_read_as_they_are) {
  const auto file = fs::temp_directory_path() / ("slc-mountinfo-" + std::to_string(::getpid()));
  std::ofstream(file) << "1 0 0:1 / / rw - ext4 /dev/vda rw\n"
                         "2 1 0:2 / /run/a\\040b rw - tmpfs none rw\n"
                         "3 1 0:3 / /run/ab rw - tmpfs none rw\n"
                         "torn";
  EXPECT_EQ(mounts_below("/run/a b", file).value(), std::vector<std::string>{"/run/a b"});
  EXPECT_EQ(mounts_below("/run", file).value(), (std::vector<std::string>{"/run/ab", "/run/a b"}));
  EXPECT_EQ(mounts_below("/ru", file).value().size(), 0U);
  EXPECT_EQ(mounts_below("/", file).value().size(), 3U);
  fs::remove(file);
}

} // namespace
} // namespace sluice::kernel
