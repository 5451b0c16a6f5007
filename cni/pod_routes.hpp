#pragma once
// The routes that IPAM asks for. Pure.

#include "cni/protocol/result.hpp"
#include "kernel/rtnl.hpp"

namespace sluice::cni {

/// The first that an address of the family names.
std::optional<IpAddress> gateway_of(const AddResult &result, Family family);

/// Gives a route without gateway its family's.
void complete_routes(AddResult &result);

/// 0.0.0.0/0 or ::/0.
Cidr default_destination(Family family);
bool has_default_route(const AddResult &result, Family family);

/// In the container; a second route to one destination stands beside the first.
void add_routes(const AddResult &result, kernel::IfIndex link, kernel::RtnlBatch &batch);

} // namespace sluice::cni
