#pragma once
// Masquerade of pods that talk to what is outside their network: one chain with one rule a network,
// in the nft table "inet sluice-cni". Nothing per pod.
//
//   table inet sluice-cni {
//     chain masq-10.244.1.0/24 {
//       type nat hook postrouting priority srcnat; policy accept;
//       meta nfproto ipv4 ip saddr 10.244.1.0/24 ip daddr != 10.244.1.0/24 ip daddr != 224.0.0.0/4
//       masquerade
//     }
//   }

#include "cni/protocol/error.hpp"
#include "net/ip_address.hpp"

#include <string>
#include <vector>

namespace sluice::cni {

inline constexpr const char *kMasqueradeTable = "sluice-cni";

/// "masq-10.244.1.0/24"; the colons of IPv6 become '_', which nft(8) can read.
std::string masquerade_chain(const Cidr &pods);

/// Makes each network's chain with its rule in the calling thread's namespace, if it has no rule
/// yet. Atomic; any number of processes may do it at once.
Outcome<> ensure_masquerade(const std::vector<Cidr> &networks);

/// True if the chain has its rule.
Outcome<bool> has_masquerade(const Cidr &pods);

} // namespace sluice::cni
