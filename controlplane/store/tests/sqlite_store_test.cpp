#include "controlplane/store/sqlite.hpp"
#include "controlplane/store/store.hpp"

#include <condition_variable>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <gtest/gtest.h>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::controlplane {
namespace {

namespace fs = std::filesystem;

class Folder {
public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "slc-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file() const { return path_ / "store.db"; }

private:
  fs::path path_;
};

std::unique_ptr<Store> open_at(const std::string &file, std::uint64_t log_length = 100000) {
  SqliteOptions options;
  options.file = file;
  options.logLength = log_length;
  auto store = open_sqlite_store(options);
  EXPECT_TRUE(store) << store.error().what();
  return store ? std::move(*store) : nullptr;
}

StoreRecord put(std::string key, std::uint64_t rev, std::string value,
                Persist persist = Persist::now) {
  return {.key = std::move(key),
          .rev = rev,
          .persist = persist,
          .value = std::make_shared<const std::string>(std::move(value))};
}

Result<> write(Store &store, StoreRecord record) {
  std::promise<Result<>> done;
  auto outcome = done.get_future();
  store.append(std::move(record), [&done](const Result<> &result) { done.set_value(result); });
  return outcome.get();
}

std::map<std::string, std::string> values(const StoreSnapshot &snapshot) {
  std::map<std::string, std::string> map;
  for (const auto &row : snapshot.rows)
    map[row.key] = row.value;
  return map;
}

StoreSnapshot load(Store &store) {
  auto snapshot = store.load();
  EXPECT_TRUE(snapshot) << snapshot.error().what();
  return snapshot ? std::move(*snapshot) : StoreSnapshot{};
}

TEST(controlplane_store, what_was_acknowledged_is_there_after_a_restart) {
  const Folder folder;
  {
    auto store = open_at(folder.file());
    EXPECT_TRUE(load(*store).rows.empty());
    EXPECT_TRUE(write(*store, put("a", 1, "one")));
    EXPECT_TRUE(write(*store, put("b", 2, "two")));
    EXPECT_TRUE(write(*store, put("a", 3, "one again")));
    EXPECT_TRUE(write(*store, {.key = "b", .rev = 4, .type = StoreRecord::Type::remove}));
  }
  auto store = open_at(folder.file());
  const auto snapshot = load(*store);
  EXPECT_EQ(values(snapshot), (std::map<std::string, std::string>{{"a", "one again"}}));
  ASSERT_EQ(snapshot.log.size(), 4U);
  EXPECT_EQ(snapshot.log[3].key, "b");
  EXPECT_EQ(snapshot.log[3].type, StoreRecord::Type::remove);
  EXPECT_GT(snapshot.next_rev, 4U);
}

TEST(controlplane_store, coalesced_records_reach_the_disk_on_a_clean_end_only_the_newest) {
  const Folder folder;
  {
    auto store = open_at(folder.file());
    load(*store);
    for (std::uint64_t rev = 1; rev <= 5; ++rev)
      EXPECT_TRUE(write(*store, put("lease", rev, std::to_string(rev), Persist::soon)));
    EXPECT_TRUE(write(*store, put("event", 6, "x", Persist::never)));
  }
  auto store = open_at(folder.file());
  const auto snapshot = load(*store);
  EXPECT_EQ(values(snapshot), (std::map<std::string, std::string>{{"lease", "5"}}));
  EXPECT_EQ(snapshot.log.size(), 1U);
  EXPECT_GT(snapshot.next_rev, 6U) << "a rev that was confirmed must not come back";
}

TEST(controlplane_store, a_removal_makes_the_record_that_was_held_back_void) {
  const Folder folder;
  {
    auto store = open_at(folder.file());
    load(*store);
    EXPECT_TRUE(write(*store, put("lease", 1, "held", Persist::soon)));
    EXPECT_TRUE(write(*store, {.key = "lease", .rev = 2, .type = StoreRecord::Type::remove}));
  }
  auto store = open_at(folder.file());
  EXPECT_TRUE(load(*store).rows.empty());
}

TEST(controlplane_store, the_log_is_trimmed_and_says_how_far) {
  const Folder folder;
  {
    auto store = open_at(folder.file(), 100);
    load(*store);
    for (std::uint64_t rev = 1; rev <= 1000; ++rev)
      EXPECT_TRUE(write(*store, put("k" + std::to_string(rev % 7), rev, "v")));
  }
  auto store = open_at(folder.file(), 100);
  const auto snapshot = load(*store);
  EXPECT_EQ(snapshot.rows.size(), 7U);
  EXPECT_LE(snapshot.log.size(), 113U);
  EXPECT_GE(snapshot.trimmed, 887U);
  EXPECT_EQ(snapshot.log.front().rev, snapshot.trimmed + 1);
}

TEST(controlplane_store, a_second_process_is_told_that_the_store_is_in_use) {
  const Folder folder;
  auto store = open_at(folder.file());
  const auto second = open_sqlite_store({.file = folder.file()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::busy);
}

TEST(controlplane_store, a_file_that_is_no_database_is_refused_and_left_alone) {
  const Folder folder;
  const std::string junk(5000, 'x');
  FILE *file = std::fopen(folder.file().c_str(), "we");
  ASSERT_EQ(std::fwrite(junk.data(), 1, junk.size(), file), junk.size());
  std::fclose(file);
  const auto store = open_sqlite_store({.file = folder.file()});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Errc::invalid_input) << store.error().what();
  EXPECT_EQ(fs::file_size(folder.file()), junk.size());
}

TEST(controlplane_store, a_failed_commit_fails_the_writers_and_leaves_nothing_behind) {
  const Folder folder;
  {
    auto store = open_at(folder.file());
    load(*store);
    EXPECT_TRUE(write(*store, put("a", 1, "before")));
    auto intruder = Database::open(folder.file());
    ASSERT_TRUE(intruder);
    ASSERT_TRUE(intruder->execute("CREATE TRIGGER t BEFORE UPDATE ON current BEGIN SELECT "
                                  "RAISE(ABORT, 'disk on fire'); END"));
    const auto outcome = write(*store, put("a", 2, "after"));
    ASSERT_FALSE(outcome);
    EXPECT_NE(outcome.error().what().find("disk on fire"), std::string::npos);
    ASSERT_TRUE(intruder->execute("DROP TRIGGER t"));
    EXPECT_TRUE(write(*store, put("b", 3, "goes on")));
  }
  auto store = open_at(folder.file());
  EXPECT_EQ(values(load(*store)),
            (std::map<std::string, std::string>{{"a", "before"}, {"b", "goes on"}}));
}

/// In a child process: several writers, each with a key range of its own, that report each
/// acknowledged rev through the pipe; never returns.
[[noreturn]] void write_until_killed(const std::string &file, int report) {
  auto opened = open_sqlite_store({.file = file});
  if (!opened)
    ::_exit(1);
  auto &store = **opened;
  const auto snapshot = store.load();
  std::mutex mutex;
  std::uint64_t next = snapshot ? snapshot->next_rev : 1;
  const auto writer = [&](std::uint64_t number) {
    for (;;) {
      std::promise<Result<>> done;
      auto outcome = done.get_future();
      std::uint64_t rev = 0;
      {
        const std::lock_guard lock(mutex);
        rev = next++;
        store.append(
            put("key-" + std::to_string(number * 100 + rev % 50), rev, std::to_string(rev)),
            [&done](const Result<> &result) { done.set_value(result); });
      }
      if (outcome.get() && ::write(report, &rev, sizeof rev) != sizeof rev)
        ::_exit(2);
    }
  };
  std::vector<std::thread> writers;
  for (std::uint64_t number = 0; number < 4; ++number)
    writers.emplace_back(writer, number);
  for (auto &thread : writers)
    thread.join();
  ::_exit(0);
}

/// Kills a writer after `count` acknowledgements have come; returns all that came.
std::set<std::uint64_t> acknowledged_until_killed(const std::string &file, std::size_t count) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_until_killed(file, ends[1]);
  }
  ::close(ends[1]);
  std::set<std::uint64_t> revs;
  std::uint64_t rev = 0;
  while (::read(ends[0], &rev, sizeof rev) == sizeof rev) {
    revs.insert(rev);
    if (revs.size() == count)
      ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
  return revs;
}

TEST(controlplane_store, no_acknowledged_write_is_lost_to_kill_9) {
  const Folder folder;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uint64_t last = 0;
  for (int round = 0; round < 8; ++round) {
    const auto revs = acknowledged_until_killed(folder.file(), 1 + random() % 400);
    ASSERT_FALSE(revs.empty());
    EXPECT_GT(*revs.begin(), last) << "a rev was handed out twice";
    auto store = open_at(folder.file());
    ASSERT_TRUE(store);
    const auto snapshot = load(*store);
    std::set<std::uint64_t> logged;
    std::map<std::string, std::uint64_t> newest;
    for (const auto &record : snapshot.log) {
      logged.insert(record.rev);
      newest[record.key] = record.rev;
    }
    for (const auto rev : revs)
      EXPECT_TRUE(logged.contains(rev)) << "rev " << rev << " was acknowledged and is gone";
    for (const auto &row : snapshot.rows)
      EXPECT_EQ(row.value, std::to_string(newest[row.key])) << row.key;
    EXPECT_EQ(snapshot.rows.size(), newest.size());
    last = snapshot.next_rev - 1;
    EXPECT_GE(last, *revs.rbegin());
  }
}

} // namespace
} // namespace sluice::controlplane
