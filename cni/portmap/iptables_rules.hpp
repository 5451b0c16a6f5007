#pragma once
// Port mappings as text of iptables, in the chains, rules and comments of the reference plugin, so
// that either checks and removes what the other made. All in the nat table; pure.
//
//   PREROUTING, OUTPUT    -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
//   CNI-HOSTPORT-DNAT     -p tcp -m comment --comment "dnat name: \"net\" id: \"c1\""
//                         -m multiport --dports 8080,8081 <conditions> -j CNI-DN-<21 hex>
//   CNI-DN-<21 hex>       -s 10.77.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
//                         -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
//                         -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.77.0.2:80
//   CNI-HOSTPORT-SETMARK  -j MARK --set-xmark 0x2000/0x2000
//   POSTROUTING           -j CNI-HOSTPORT-MASQ (in front of everything else)
//   CNI-HOSTPORT-MASQ     -m mark --mark 0x2000/0x2000 -j MASQUERADE

#include "cni/iptables_text.hpp"
#include "cni/portmap/config.hpp"

namespace sluice::cni {

/// "CNI-DN-<21 hex>": the chain of one container in one network.
std::string dnat_chain(const PortmapOwner &owner);
/// What DEL removes: that chain, and "CNI-SN-..." of reference plugins before 0.8.
std::set<std::string> chains_of(const PortmapOwner &owner);

/// Commands for iptables-restore --noflush that turn `table` into one with these mappings. What all
/// containers share is made where it is missing, the container's chain is filled anew, and its
/// entries stand first: of two pods that ask for the same port the younger one has it.
std::vector<std::string> plan_forwarding(const NatTable &table, const PortmapConfig &config,
                                         const PortmapOwner &owner, const InterfaceAddress &pod);

/// The first rule that `table` should have and has not, as iptables-save would print it. Conditions
/// of the entry rules are not compared: iptables prints them in its own words.
std::optional<std::string> missing_rule(const NatTable &table, const PortmapConfig &config,
                                        const PortmapOwner &owner, const InterfaceAddress &pod);

/// The chains of this network's containers that are not in `valid`.
std::set<std::string> stale_chains(const NatTable &table, const std::string &network,
                                   const std::set<std::string> &valid);

} // namespace sluice::cni
