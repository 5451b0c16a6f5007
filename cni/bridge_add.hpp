#pragma once
// The writing half of bridge mode.

#include "cni/bridge_plan.hpp"
#include "cni/namespaces.hpp"
#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

/// Connects the pod to the bridge with the addresses given, and answers the result of ADD. On an
/// error nothing of the pod is left; a bridge that was made stays, because others may use it
/// already.
Outcome<AddResult> attach_to_bridge(const Request &request, const BridgeConfig &config,
                                    const Namespaces &namespaces, AddResult addresses,
                                    bool netfilter);

/// What the kernel has of the bridge, in the namespace of `rtnl`.
Outcome<ObservedBridge> observe_bridge(kernel::Rtnl &rtnl, const std::string &name);

} // namespace sluice::cni
