#pragma once
// Delivers changes to watchers: one thread, every event in order, each frame made once.

#include "controlplane/registry/shelf.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace sluice::controlplane {

/// Thread-safe. `mutex_` guards everything but what a Watcher guards itself.
class WatchHub {
public:
  explicit WatchHub(const Registry::Options &options);
  /// Ends all watches.
  ~WatchHub();

  /// A change has become visible. Called in the order of versions, never blocks on a watcher.
  void publish(Revision revision);

  struct Subscription {
    const ResourceType *type;
    Selection selection;
    std::uint64_t after = 0;        ///< changes published up to here are none of `publish`'s
    std::vector<StoredPtr> initial; ///< delivered as `added`
    std::vector<Revision> backlog;  ///< delivered next
    bool mark_initial_end = false;  ///< with a bookmark at `after`
    bool bookmarks = false;
    std::optional<std::chrono::seconds> timeout;
  };
  /// Must be called under the lock that keeps `publish` out, so that nothing falls between
  /// `subscription` and the first delivered change. `start` is to be called afterwards, outside.
  Registry::WatchId add(Subscription subscription, Registry::Sink sink);
  /// Delivers the initial events on this thread.
  void start(Registry::WatchId id);
  /// See Registry::unwatch.
  void remove(Registry::WatchId id);
  void close();

private:
  using Clock = std::chrono::steady_clock;
  struct Watcher;
  using WatcherPtr = std::shared_ptr<Watcher>;

  void run();
  void deliver(const std::vector<Revision> &revisions);
  void tick(Clock::time_point now);
  void end_all();
  std::vector<WatcherPtr> watchers() const;
  void forget_finished();

  const Registry::Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Revision> queue_;
  std::map<Registry::WatchId, WatcherPtr> watchers_;
  Registry::WatchId next_id_ = 1;
  bool closing_ = false;
  std::uint64_t delivered_ = 0; ///< belongs to the thread: everything up to here is delivered
  std::thread thread_;
};

} // namespace sluice::controlplane
