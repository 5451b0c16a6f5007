#pragma once
// conditionsV4 and conditionsV6 in the words of nft(8). The plugin runs no nft, so it reads the few
// matches that make sense before "is it for this node": addresses, interface, mark.

#include "cni/nft_message.hpp"
#include "cni/protocol/error.hpp"

#include <string>
#include <vector>

namespace sluice::cni {

struct NftCondition {
  enum class Match : std::uint8_t { source, destination, interface, mark } match;
  bool equal = true;
  Cidr network;             ///< source, destination
  std::string name;         ///< interface
  std::uint32_t number = 0; ///< mark
};

/// `words` may each hold several words. Understood: "ip saddr [!=|==] 10.0.0.0/8" (and daddr, and
/// ip6 in an IPv6 list), "iifname [!=|==] eth0", "meta mark [!=|==] 0x1", one after the other. Code
/// 2 quotes what is not understood.
Outcome<std::vector<NftCondition>> parse_nft_conditions(const std::vector<std::string> &words,
                                                        Family family);

void put_conditions(nft::Expressions &rule, const std::vector<NftCondition> &conditions);

} // namespace sluice::cni
