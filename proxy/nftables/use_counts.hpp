#pragma once
// What is in use by how many, and what came into use and went out of it.

#include <map>
#include <vector>

namespace sluice::proxy::nftables {

template <class Key> class UseCounts {
public:
  void add(const Key &key) { change(key, +1); }
  void drop(const Key &key) { change(key, -1); }
  bool has(const Key &key) const { return counts_.count(key) != 0; }
  std::size_t size() const noexcept { return counts_.size(); }
  const std::map<Key, int> &counts() const noexcept { return counts_; }

  struct Changes {
    std::vector<Key> came, went;
  };
  /// Since it was last asked.
  Changes take_changes() {
    Changes changes;
    for (const auto &[key, was_there] : before_) {
      const bool is_there = has(key);
      if (is_there && !was_there)
        changes.came.push_back(key);
      if (was_there && !is_there)
        changes.went.push_back(key);
    }
    before_.clear();
    return changes;
  }

private:
  void change(const Key &key, int by) {
    const auto [found, inserted] = counts_.try_emplace(key, 0);
    before_.try_emplace(key, !inserted);
    found->second += by;
    if (found->second <= 0)
      counts_.erase(found);
  }
  std::map<Key, int> counts_;
  std::map<Key, bool> before_; // whether a key that was touched was there
};

} // namespace sluice::proxy::nftables
