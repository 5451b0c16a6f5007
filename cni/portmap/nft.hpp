#pragma once
// Port mappings by nf_tables, in the table, chains and comments of the reference plugin's nftables
// back end, so that either removes what the other made:
//
//   table ip cni_hostport {                           # and ip6
//     chain hostports        { tcp dport 8080 dnat to 10.0.0.2:80 comment "<container id>" }
//     chain hostip_hostports { ip daddr 192.0.2.1 tcp dport ... }
//     chain hostports_all    { jump hostip_hostports; jump hostports }
//     chain prerouting, output { type nat; <conditions> fib daddr type local jump hostports_all }
//     chain masquerading     { type nat hook postrouting; ip saddr 10.0.0.2 ip daddr 10.0.0.2
//                              masquerade comment "<container id>"; ip saddr 127.0.0.1 ... }
//   }
//
// Our rules carry their network too, where nft(8) does not look: GC goes by it, and DEL leaves the
// rules of another network of the same container alone.

#include "cni/portmap/config.hpp"

#include <set>

namespace sluice::cni {

/// Adds the rules for one address of the pod, at the head of their chains: of two pods that ask for
/// the same port the younger one has it. Rules of before are replaced; all in one transaction.
Outcome<> forward_by_nft(const PortmapConfig &config, const PortmapOwner &owner,
                         const InterfaceAddress &pod);
/// Removes the container's rules of both families. Chains stay.
Outcome<> unforward_by_nft(const PortmapOwner &owner);
/// Code 102 if a chain has fewer rules of the container than it should.
Outcome<> check_by_nft(const PortmapConfig &config, const PortmapOwner &owner,
                       const InterfaceAddress &pod);
/// Removes the rules of this network that belong to no container of `valid`. Rules of the
/// reference plugin do not say their network and stay.
Outcome<> collect_by_nft(const std::string &network, const std::set<std::string> &valid);

} // namespace sluice::cni
