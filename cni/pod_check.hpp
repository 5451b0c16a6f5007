#pragma once
// What CHECK compares of the container, whatever it is connected to. Every difference is code 102
// and named; what others added beside is none.

#include "cni/namespaces.hpp"
#include "cni/protocol/result.hpp"
#include "kernel/rtnl.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

struct ObservedPod {
  std::optional<kernel::Link> link;
  std::vector<kernel::LinkAddress> addresses; ///< of that link
  std::vector<kernel::Route> routes;
};

/// What is there of `ifname` now.
Outcome<ObservedPod> observe_pod(const Namespaces &namespaces, const std::string &ifname);

/// A failure of code 102.
tl::unexpected<CniError> differs(std::string what);
std::string quoted(const std::string &text);

/// Pure. `expected` may be empty.
Outcome<> check_mac(const std::string &what, const std::string &expected, const kernel::Link &link);
/// A veth with the MAC of `named`; up if it must be; with the MTU, unless that is 0.
Outcome<> check_pod_link(const Interface &named, const ObservedPod &pod, bool up,
                         std::uint32_t mtu_bytes);
Outcome<> check_addresses(const AddResult &previous, const ObservedPod &pod);
Outcome<> check_routes(const AddResult &previous, const ObservedPod &pod);

} // namespace sluice::cni
