#pragma once
// Flows as ctnetlink messages.

#include "kernel/conntrack/conntrack.hpp"
#include "kernel/rtnl/message.hpp"

#include <optional>

namespace sluice::kernel::conntrack {

rtnl::Message dump_request(const Filter &filter);
rtnl::Message remove_request(const Flow &flow);
/// Nothing for a message that is no flow of a protocol with ports.
std::optional<Flow> flow_in(const nlmsghdr &message);

} // namespace sluice::kernel::conntrack
