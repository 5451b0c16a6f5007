#pragma once
// Port mappings by iptables: the rules of iptables_rules.hpp, put in by one iptables-restore.

#include "cni/portmap/config.hpp"

#include <set>

namespace sluice::cni {

/// Adds the rules for one address of the pod, in one transaction; rules of before are replaced.
/// Errors: 7 if iptables is not installed or `externalSetMarkChain` does not exist; 100 with what
/// iptables said.
Outcome<> forward_by_iptables(const PortmapConfig &config, const PortmapOwner &owner,
                              const InterfaceAddress &pod);
/// Removes the container's chains of both families and what leads to them, of either kind of
/// iptables. No program runs where netlink finds none; where iptables is not installed they stay.
Outcome<> unforward_by_iptables(const PortmapOwner &owner);
/// Code 102 with the first rule that is missing.
Outcome<> check_by_iptables(const PortmapConfig &config, const PortmapOwner &owner,
                            const InterfaceAddress &pod);
/// Removes the chains of this network's containers that are not in `valid`.
Outcome<> collect_by_iptables(const std::string &network, const std::set<std::string> &valid);

} // namespace sluice::cni
