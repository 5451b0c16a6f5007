#include "proxy/config_watcher.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <mutex>

namespace sluice::proxy {
namespace {

namespace fs = std::filesystem;

class ConfigWatch : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "slc-config-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    write(folder_ / "config.conf", "one");
  }
  void TearDown() override {
    watcher_.reset();
    fs::remove_all(folder_);
  }

  void start() {
    auto watcher = ConfigWatcher::start(folder_ / "config.conf", [this] {
      const std::lock_guard lock(mutex_);
      ++calls_;
      wake_.notify_all();
    });
    ASSERT_TRUE(watcher) << watcher.error().what();
    watcher_ = std::move(*watcher);
  }

  static void write(const fs::path &path, const std::string &text) { std::ofstream(path) << text; }

  /// Waits until there were `count` calls in all.
  bool called(int count) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(10), [&] { return calls_ >= count; });
  }

  fs::path folder_;
  std::mutex mutex_;
  std::condition_variable wake_;
  int calls_ = 0;
  std::unique_ptr<ConfigWatcher> watcher_;
};

TEST_F(ConfigWatch, a_file_written_in_place_is_noticed_again_and_again) {
  start();
  write(folder_ / "config.conf", "two");
  ASSERT_TRUE(called(1));
  write(folder_ / "config.conf", "three");
  EXPECT_TRUE(called(2));
}

TEST_F(ConfigWatch, a_file_that_is_replaced_is_noticed_and_then_watched_itself) {
  start();
  write(folder_ / "new", "two");
  fs::rename(folder_ / "new", folder_ / "config.conf");
  ASSERT_TRUE(called(1));
  write(folder_ / "config.conf", "three");
  EXPECT_TRUE(called(2));
}

TEST_F(ConfigWatch, a_mounted_config_map_that_changes_is_noticed) {
  // kubelet: config.conf -> ..data/config.conf, ..data -> ..1, later renamed over by one to ..2.
  for (const auto *version : {"..1", "..2"}) {
    fs::create_directory(folder_ / version);
    write(folder_ / version / "config.conf", version);
  }
  fs::remove(folder_ / "config.conf");
  fs::create_symlink("..1", folder_ / "..data");
  fs::create_symlink("..data/config.conf", folder_ / "config.conf");
  start();
  fs::create_symlink("..2", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_TRUE(called(1));
}

TEST_F(ConfigWatch, the_same_text_and_a_missing_file_are_no_change) {
  start();
  fs::remove(folder_ / "config.conf");
  write(folder_ / "config.conf", "one");
  write(folder_ / "other", "noise");
  write(folder_ / "config.conf", "two");
  ASSERT_TRUE(called(1));
  EXPECT_EQ(calls_, 1);
}

TEST_F(ConfigWatch, a_folder_that_is_not_there_is_an_error_that_names_it) {
  auto watcher = ConfigWatcher::start("/nonexistent-folder/config.conf", [] {});
  ASSERT_FALSE(watcher);
  EXPECT_NE(watcher.error().what().find("\"/nonexistent-folder\""), std::string::npos);
}

} // namespace
} // namespace sluice::proxy
