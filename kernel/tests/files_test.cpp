#include "kernel/files.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::kernel;

namespace {

class kernel_files : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "slc-files-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(folder_)); }
  std::string folder_;
};

} // namespace

TEST_F(kernel_files, a_file_is_replaced_as_a_whole) {
  const auto path = folder_ + "/a";
  ASSERT_TRUE(write_file(path, "one"));
  ASSERT_TRUE(write_file(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{"a"});
  const auto missing = read_file(folder_ + "/b");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
}

TEST_F(kernel_files, making_one_folder_twice_is_an_error_making_its_path_is_not) {
  EXPECT_TRUE(make_folders(folder_ + "/a/b/c"));
  EXPECT_TRUE(make_folders(folder_ + "/a/b/c"));
  const auto again = make_folder(folder_ + "/a");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::already_exists);
  remove_folder_if_empty(folder_ + "/a");
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{"a"}) << "it is not empty";
}
