#pragma once
// What CHECK compares: the result of ADD with what is there now. Pure.

#include "cni/bridge_plan.hpp"
#include "cni/pod_check.hpp"

namespace sluice::cni {

/// The three links that bridge mode's result names.
struct NamedLinks {
  Interface bridge, host, pod;
};
/// Code 102 if `previous` does not name them for this attachment.
Outcome<NamedLinks> links_of(const AddResult &previous, const std::string &bridge,
                             const std::string &ifname, const std::string &netns);

/// Code 102 names the first thing that differs. What others added beside is no difference.
Outcome<> check_bridge_attachment(const BridgeConfig &config, const AddResult &previous,
                                  const NamedLinks &named, const ObservedBridge &bridge,
                                  const std::optional<kernel::Link> &host_link,
                                  const ObservedPod &pod);

} // namespace sluice::cni
