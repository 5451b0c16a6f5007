#pragma once
// What the kernel is known to hold, and the text for iptables-restore that makes it hold more.
// Pure.

#include "proxy/iptables/ruleset.hpp"

namespace sluice::proxy::iptables {

/// The rules of a chain.
struct SavedRules {
  std::uint64_t digest;
  std::size_t count;
};
/// One kernel table as read back: ours in it, and who jumps there.
struct SavedTable {
  std::map<std::string, SavedRules> chains; ///< of ours
  std::size_t rules = 0;                    ///< in all of them
  std::vector<Jump> jumps;                  ///< rules of other chains that lead into ours
};
struct Saved {
  SavedTable nat, filter;
};
/// Reads what iptables-save printed. Errors: as kernel::iptables::visit.
Result<Saved> read_saved(std::string_view text);

/// How many rules a text for iptables-restore brings.
RuleCounts rules_in(std::string_view text);

/// Not thread-safe.
class KernelState {
public:
  /// Knows nothing to be there.
  KernelState() = default;
  explicit KernelState(Saved saved) : saved_(std::move(saved)) {}

  /// What to write so that these chains are as given; "" if nothing is to be done. Each table is
  /// atomic by itself: the filter goes first when something begins to be refused, else last, so
  /// that no connection meets neither.
  std::string text_for(const ChainSet &chains) const;
  /// The same, with the jumps, and everything of ours removed that is not among `all`. The last
  /// text makes the step; those before it hold new chains of services and of dispatch trees, which
  /// nothing leads to yet, so many in each. 0: one text.
  std::vector<std::string> texts_for_all(const ChainSet &all, std::size_t chains_per_text) const;
  std::string text_to_remove() const;
  /// What is there and differs from what is `wanted`, in people's words.
  std::vector<std::string> differences(const KernelState &wanted) const;

  bool guarded() const { return saved_.filter.chains.count(kGuard) != 0; }

  /// Those are in the kernel now.
  void written(const ChainSet &chains);
  /// Of a kernel that is as it should be. O(1).
  RuleCounts rules() const;

private:
  Saved saved_;
};

} // namespace sluice::proxy::iptables
