#pragma once
// What the kernel's maps, read now, do with a flow: the lookups of a packet, made by hand.

#include "kernel/nft/nft.hpp"
#include "proxy/model/flow.hpp"

namespace sluice::proxy::nftables {

/// Reads the elements that a packet of `flow` would meet, and no others: O(backends). The rules are
/// taken to be those of `node`; `verify` compares them.
Result<Explanation> explain_from(kernel::nft::Nft &nft, const kernel::nft::TableId &table,
                                 const NodeInfo &node, const Flow &flow);

} // namespace sluice::proxy::nftables
