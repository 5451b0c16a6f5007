#pragma once
// Which endpoint stands in which slot of a backend set.

#include "proxy/model/table.hpp"

namespace sluice::proxy::nftables {

/// A backend set as the kernel holds it: slots 0 to `count`-1 are picked. Those behind are aliases
/// of live endpoints: a packet that read the old, larger count an instant before a commit still
/// finds an endpoint there. They go with the next change of the set.
struct Slots {
  std::uint32_t count = 0;
  std::vector<SocketAddress> endpoints;
  friend bool operator==(const Slots &, const Slots &) = default;
};

/// What follows `now` when the set becomes `backends` (sorted, not empty). Endpoints that stay keep
/// their slot, unless the set shrinks below it. Pure; O(n log n) of the set.
Slots next_slots(const Slots &now, const BackendSet &backends);

} // namespace sluice::proxy::nftables
