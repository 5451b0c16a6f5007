#pragma once
// The verbs that do not ask what a pod was connected to: the same for every plugin with a veth.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

/// DEL. The link first and the address last: nobody else may get it while the old link answers for
/// it. Between them the masquerade rules that are for it alone.
Outcome<> detach(const Request &request);

/// GC: links, rules of the reference plugins, then addresses.
Outcome<> collect_garbage(const Request &request);

/// CHECK of whoever gave the addresses; nothing to do without IPAM.
Outcome<> check_ipam(const Request &request);

/// STATUS of whoever gives the addresses; code 50 if the plugin is missing.
Outcome<> ipam_status(const Request &request);

} // namespace sluice::cni
