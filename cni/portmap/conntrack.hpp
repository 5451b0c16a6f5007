#pragma once
// UDP connections that conntrack remembers keep going to where they were translated first, although
// the rules have changed: a client that never stops sending would never reach the new pod.

#include "net/ip_address.hpp"
#include "net/port.hpp"
#include "net/result.hpp"

#include <set>

namespace sluice::cni {

/// Forgets every UDP connection to one of these ports, in the calling thread's namespace. How many.
Result<std::size_t> forget_udp(Family family, const std::set<Port> &ports);

} // namespace sluice::cni
