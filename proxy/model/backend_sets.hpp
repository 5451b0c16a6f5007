#pragma once
// The backend sets of a table: equal sets have one id, a set lives as long as somebody uses it.

#include "proxy/model/table.hpp"

#include <unordered_map>

namespace sluice::proxy {

/// Works on a Table's `backendSets` in rounds: `release` what the changed service ports used,
/// `acquire` what they use now, then `finish`. Not thread-safe.
///
/// An id is made from the name of its first owner, so that a restarted process arrives at the same
/// ids and finds in the kernel what it wants. If nobody else uses a set that changes, it keeps its
/// id: the data plane then changes elements, not references.
class BackendSets {
public:
  explicit BackendSets(std::map<BackendSetId, BackendSet> &sets) : sets_(sets) {}

  void release(BackendSetId id);
  /// `previous` is what the owner released in this round, or 0. `owner` names the user for a new
  /// id. The empty set is 0.
  BackendSetId acquire(BackendSet wanted, BackendSetId previous, const std::string &owner);
  /// Drops what nobody acquired again and reports the round.
  void finish(TableDelta &delta);

private:
  std::optional<BackendSetId> find(const BackendSet &wanted, std::size_t hash) const;
  BackendSetId new_id(const std::string &owner) const;
  void remember(BackendSetId id);
  void assign(BackendSetId id, BackendSet set, std::size_t hash);
  void forget_content(BackendSetId id);

  std::map<BackendSetId, BackendSet> &sets_;
  std::map<BackendSetId, std::size_t> users_; ///< 0: released in this round
  std::unordered_multimap<std::size_t, BackendSetId> by_content_;
  std::map<BackendSetId, std::optional<BackendSet>> before_; ///< what this round changed
  std::vector<BackendSetId> released_;
};

} // namespace sluice::proxy
