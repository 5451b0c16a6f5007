#pragma once
// What the reference plugins made for an attachment without saying for which network: rules of
// macspoofchk and ifb devices. The records of the addresses know the network.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

/// GC, before the records go: removes what belongs to the network's attachments that are not valid
/// any more. Nothing to do for an IPAM whose records we cannot read.
Outcome<> collect_leftovers(const Request &request);

} // namespace sluice::cni
