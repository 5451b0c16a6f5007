#pragma once
// The routes to other nodes' pods: which of the kernel's are ours, and how to get from those to the
// desired ones. Pure.

#include "kernel/rtnl.hpp"

#include <map>

namespace sluice::node {

/// Ours: protocol 83, main table, unicast, by a gateway. (Other parts of Sluice may have routes
/// with that protocol number too, but none by a gateway.)
bool is_ours(const kernel::Route &route) noexcept;

/// First what is added or changed, then what goes. A route that is ours is replaced; one of
/// somebody else in its place is not touched: the kernel refuses ours then.
kernel::RtnlBatch plan_routes(const std::vector<kernel::Route> &actual,
                              const std::map<Cidr, IpAddress> &desired);

} // namespace sluice::node
