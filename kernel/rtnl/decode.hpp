#pragma once
// From a message of the kernel to a value. Never trusts a length: a message that is too short for
// what it claims to be is left out.

#include "kernel/rtnl.hpp"

#include <linux/netlink.h>

namespace sluice::kernel::rtnl {

std::optional<Link> decode_link(const nlmsghdr &message);
std::optional<LinkAddress> decode_address(const nlmsghdr &message);
/// One element for each next hop; none for cloned routes.
std::vector<Route> decode_routes(const nlmsghdr &message);
std::optional<Neighbour> decode_neighbour(const nlmsghdr &message);

} // namespace sluice::kernel::rtnl
