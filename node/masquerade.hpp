#pragma once
// The nft table `inet sluice-node`: constant rules, and four sets that hold what changes.
//
//   chain postrouting (nat, srcnat):
//     ip saddr @pods4, ip daddr not @cluster4, not multicast: masquerade
//     ip6 saddr @pods6, ip6 daddr not @cluster6, not multicast: masquerade

#include "kernel/nft/nft.hpp"
#include "node/plan.hpp"

#include <set>

namespace sluice::node {

kernel::nft::TableId masquerade_table();

/// What one of our interval sets holds: first address of a range, or the first one behind it
/// (true).
using SetEnds = std::set<std::pair<kernel::nft::Value, bool>>;

struct MasqueradeState {
  bool layout_is_right = false; ///< table, sets, chain and rules are as this program makes them
  std::map<std::string, SetEnds> sets;
};

Result<MasqueradeState> read_masquerade(kernel::nft::Nft &nft);

/// Empty if nothing is to be done. A table with another layout is made anew; else only sets whose
/// contents differ are written. One transaction either way. Pure.
kernel::nft::Batch plan_masquerade(const MasqueradeState &actual, const Desired &desired);

} // namespace sluice::node
