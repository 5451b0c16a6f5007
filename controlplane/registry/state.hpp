#pragma once
// What is visible: the shelves of all kinds, the newest version, and the watchers.

#include "controlplane/registry/watch_hub.hpp"

#include <shared_mutex>

namespace sluice::controlplane {

/// Thread-safe: `mutex_` guards the shelves and `visible_`.
class State {
public:
  State(const std::vector<ResourceType> &types, const Registry::Options &options);

  /// At start, before anything else.
  Result<> load(StoreSnapshot snapshot);

  StoredPtr find(const ResourceType &type, const Key &key) const;
  std::vector<StoredPtr> all(const ResourceType &type) const;
  std::uint64_t visible() const;
  /// True once `version` is visible; false if `patience` is over first.
  bool wait_for(std::uint64_t version, std::chrono::milliseconds patience) const;
  ApiResult<ListResult> list(const ResourceType &type, const ListOptions &options) const;
  ApiResult<Registry::WatchId> watch(const ResourceType &type, const WatchOptions &options,
                                     Registry::Sink sink);
  WatchHub &hub() noexcept { return hub_; }

  /// Makes a change visible to readers and watchers.
  void publish(Revision revision);
  /// Moves on to `version` without a change (a commit has failed).
  void skip(std::uint64_t version);

private:
  ApiResult<WatchHub::Subscription> subscribe(const ResourceType &type,
                                              const WatchOptions &options) const;
  const Shelf &shelf(const ResourceType &type) const { return shelves_.at(&type); }

  const std::vector<ResourceType> &types_;
  const Registry::Options options_;
  mutable std::shared_mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::map<const ResourceType *, Shelf> shelves_;
  std::uint64_t visible_ = 0;
  WatchHub hub_;
};

/// Makes the immutable form of `document`, which already holds its resourceVersion.
StoredPtr make_stored(const ResourceType &type, const json &document, std::uint64_t version);
/// The key of an object in the store, and back.
std::string store_key(const ResourceType &type, const Key &key);
struct StoreKey {
  std::string apiVersion, plural;
  Key key;
};
std::optional<StoreKey> parse_store_key(std::string_view text);

} // namespace sluice::controlplane
