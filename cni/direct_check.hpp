#pragma once
// What CHECK compares for a pod without bridge.

#include "cni/direct_plan.hpp"
#include "cni/pod_check.hpp"

namespace sluice::cni {

/// What the node holds for the pod.
struct ObservedHostEnd {
  std::optional<kernel::Link> link;
  std::vector<kernel::LinkAddress> addresses; ///< of that link
  std::vector<kernel::Route> routes;          ///< all of the node
};

/// The two links that the result names.
struct DirectLinks {
  Interface host, pod;
};
/// Code 102 if `previous` does not name them for this attachment.
Outcome<DirectLinks> direct_links_of(const AddResult &previous, const std::string &ifname,
                                     const std::string &netns);

/// All of the pod's namespace.
Outcome<std::vector<kernel::Neighbour>> observe_neighbours(const Namespaces &namespaces);

Outcome<ObservedHostEnd> observe_host_end(kernel::Rtnl &rtnl, const std::string &name);

/// Pure. Code 102 names the first thing that differs.
Outcome<> check_direct(const DirectConfig &config, const AddResult &previous,
                       const DirectLinks &named, const ObservedHostEnd &host,
                       const ObservedPod &pod);

/// Mode `routed`: the pod knows the MAC of its gateways for ever, because nobody would answer.
/// Pure.
Outcome<> check_gateway_neighbours(const AddResult &previous, const ObservedHostEnd &host,
                                   const ObservedPod &pod,
                                   const std::vector<kernel::Neighbour> &neighbours);

/// The pod's addresses in their networks, as CHECK knows them: those of the result, or, when these
/// say nothing of their network, in the configured subnets that they are in.
std::vector<InterfaceAddress> checked_pods(const NetworkConfig &config, const AddResult &previous);

} // namespace sluice::cni
