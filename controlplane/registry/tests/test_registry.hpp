#pragma once
// A registry over a store that keeps what it was given, commits on a thread, and fails on demand.

#include "controlplane/registry/registry.hpp"

#include <condition_variable>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

namespace sluice::controlplane {

/// What is on the "disk": survives the store.
struct Disk {
  std::map<std::string, StoreSnapshot::Row> rows;
  std::vector<StoreRecord> log;
  std::uint64_t next_rev = 1;
};

class FakeStore final : public Store {
public:
  explicit FakeStore(std::shared_ptr<Disk> disk)
      : disk_(std::move(disk)), thread_([this] { run(); }) {}
  ~FakeStore() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      held_ = false;
    }
    wake_.notify_all();
    thread_.join();
  }
  Result<StoreSnapshot> load() override {
    StoreSnapshot snapshot;
    for (const auto &[key, row] : disk_->rows)
      snapshot.rows.push_back(row);
    snapshot.log = disk_->log;
    snapshot.next_rev = disk_->next_rev;
    return snapshot;
  }
  void append(StoreRecord record, Done done) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({std::move(record), std::move(done)});
    }
    wake_.notify_all();
  }
  void fail_next() { failures_ = 1; }
  /// While held nothing is committed.
  void hold(bool held) {
    {
      const std::lock_guard lock(mutex_);
      held_ = held;
    }
    wake_.notify_all();
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

private:
  struct Entry {
    StoreRecord record;
    Done done;
  };
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !held_ && (closing_ || !queue_.empty()); });
      if (queue_.empty())
        return;
      Entry entry = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      entry.done(commit(entry.record));
    }
  }
  Result<> commit(const StoreRecord &record) {
    if (failures_.exchange(0) != 0)
      return fail(Errc::exhausted, "the disk is full");
    disk_->next_rev = record.rev + 1;
    if (record.persist == Persist::never)
      return {};
    if (record.type == StoreRecord::Type::put)
      disk_->rows[record.key] = {record.key, record.rev, *record.value};
    else
      disk_->rows.erase(record.key);
    disk_->log.push_back(record);
    return {};
  }

  std::shared_ptr<Disk> disk_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> queue_;
  bool closing_ = false, held_ = false;
  std::atomic<int> failures_ = 0;
  std::thread thread_;
};

class RegistryTest : public testing::Test {
protected:
  void SetUp() override { open(); }

  void open(Registry::Options options = {}) {
    registry.reset();
    auto fake = std::make_unique<FakeStore>(disk);
    store = fake.get();
    auto opened = Registry::open(resource_types(), std::move(fake), options);
    ASSERT_TRUE(opened) << opened.error().what();
    registry = std::move(*opened);
    if (!registry->get(kind("Namespace"), {"", "default"}))
      must_create("Namespace", {{"metadata", {{"name", "default"}}}});
  }

  static const ResourceType &kind(const std::string &name) {
    for (const auto &type : resource_types())
      if (type.kind == name && type.storedApiVersion.empty())
        return type;
    throw std::runtime_error("no kind " + name);
  }

  static json config(const std::string &name, const json &data = json::object()) {
    return {{"metadata", {{"name", name}, {"namespace", "default"}}}, {"data", data}};
  }

  StoredPtr must_create(const std::string &type, const json &object) {
    auto stored = registry->create(kind(type), object);
    EXPECT_TRUE(stored) << to_text(stored.error());
    return stored ? *stored : nullptr;
  }

  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  FakeStore *store = nullptr;
  std::unique_ptr<Registry> registry;
};

} // namespace sluice::controlplane
