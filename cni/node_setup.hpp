#pragma once
// What the node and the container must have before an address works, whatever connects them. All
// idempotent, all shared: nothing of it is taken back.

#include "cni/protocol/result.hpp"

#include <string>

namespace sluice::cni {

bool has_family(const AddResult &result, Family family);

/// IP forwarding for the families of the addresses. `why` goes into an error.
Outcome<> forward_packets(const AddResult &addresses, const char *why);

/// In the container, before the link is up, because what the kernel does on its own when it comes
/// up depends on it.
Outcome<> prepare_ipv6(const std::string &ifname, const AddResult &addresses,
                       bool duplicate_address_detection);

} // namespace sluice::cni
