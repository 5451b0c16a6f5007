#pragma once
// Which addresses a new attachment gets: decided as a whole, before anything is written. Pure.

#include "ipam/config.hpp"
#include "ipam/store.hpp"

namespace sluice::ipam {

struct Choice {
  std::size_t set = 0; ///< index into IpamConfig::sets
  IpAddress ip;
  Range range; ///< the range that holds it
  friend bool operator==(const Choice &, const Choice &) = default;
};

/// One address of each set, in their order. `last` has one entry a set. Errors: 101 the attachment
/// holds an address of a set already; 103 a requested address is a gateway, taken or in no set; 11
/// a set is full.
cni::Outcome<std::vector<Choice>> choose(const IpamConfig &config,
                                         const std::vector<std::optional<IpAddress>> &last,
                                         const std::vector<Record> &records,
                                         const cni::Attachment &attachment);

} // namespace sluice::ipam
