#pragma once
// The newest state of each object, and what it was when the changes were last taken. Any number of
// updates in between count as one change from then to now; if that is none, there is no change.

#include "kube/objects.hpp"

#include <memory>

namespace sluice::proxy {

/// Value is comparable. Not thread-safe.
template <class Value> class Tracked {
public:
  using Key = kube::ObjectKey;
  struct Change {
    Key key;
    std::optional<Value> before;
    const Value *after; ///< nothing: gone. Valid until the next update
  };

  /// No value: the object is gone (or is none of ours). True if this differs from what was known.
  bool set(const Key &key, std::optional<Value> value) {
    const auto known = current_.find(key);
    const bool exists = known != current_.end();
    if (exists ? value && *value == known->second : !value)
      return false;
    remember(key, exists ? &known->second : nullptr);
    if (!value)
      current_.erase(known);
    else if (exists)
      known->second = std::move(*value);
    else
      current_.emplace(key, std::move(*value));
    return true;
  }

  /// With its key, which stays where it is as long as the object is known.
  const std::pair<const Key, Value> *find_entry(const Key &key) const {
    const auto found = current_.find(key);
    return found == current_.end() ? nullptr : &*found;
  }
  const Value *find(const Key &key) const {
    const auto found = current_.find(key);
    return found == current_.end() ? nullptr : &found->second;
  }

  const std::map<Key, Value> &all() const noexcept { return current_; }
  std::size_t pending() const noexcept { return before_.size(); }

  /// In order of keys. What changed and changed back is not in it.
  std::vector<Change> take_changes() {
    std::vector<Change> changes;
    for (auto &[key, before] : before_) {
      const auto *after = find(key);
      if (before ? !after || !(*before == *after) : after != nullptr)
        changes.push_back({key, before ? std::optional(std::move(*before)) : std::nullopt, after});
    }
    before_.clear();
    return changes;
  }

private:
  /// What is there is about to be replaced.
  void remember(const Key &key, Value *value) {
    const auto [known, is_new] = before_.try_emplace(key);
    if (is_new && value)
      known->second = std::make_unique<Value>(std::move(*value));
  }

  std::map<Key, Value> current_;
  std::map<Key, std::unique_ptr<Value>> before_; // nothing: was not there
};

} // namespace sluice::proxy
