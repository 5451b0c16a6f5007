#pragma once
// Removing a link without waiting for the kernel to forget it.

#include "cni/protocol/error.hpp"
#include "net/unique_fd.hpp"

#include <string>

namespace sluice::cni {

/// Removes the link in the calling thread's namespace (with its other end, if it is a veth) and
/// returns when it is gone from the kernel's tables: no packet passes, its name and addresses are
/// free. False if there is no such link.
///
/// The kernel's own answer to RTM_DELLINK comes one rcu_barrier later, 2 to 20 ms. So a child that
/// shares our memory waits for that answer, and we return on the notification that the link is
/// gone. The child outlives us by that time and holds none of our standard descriptors. Only for a
/// process that ends soon: the child is not waited for. Without a child (clone refused), we wait
/// ourselves.
Outcome<bool> remove_link(const std::string &name);

/// A rtnetlink socket of the calling thread's namespace that gets the notifications of `groups`
/// (RTMGRP_*).
Result<UniqueFd> open_route_socket(unsigned groups);

} // namespace sluice::cni
