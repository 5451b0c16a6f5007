#include "cluster/lock.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::cluster;

TEST(cluster_lock, a_folder_is_locked_by_one_at_a_time) {
  std::string folder = testing::TempDir() + "slc-lock-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  auto first = FolderLock::take(folder);
  ASSERT_TRUE(first);
  const auto second = FolderLock::take(folder);
  EXPECT_EQ(second ? Errc::io : second.error().code(), Errc::busy);
  first->release();
  EXPECT_TRUE(FolderLock::take(folder));
  EXPECT_EQ(::rmdir(folder.c_str()), 0) << "no lock file is left";
}
