#pragma once
// A rule of policy routing that looks at the packet mark: "ip rule add fwmark 8/8 lookup 83".

#include "net/ip_address.hpp"

namespace sluice::kernel {

struct MarkRule {
  Family family = Family::ipv4;
  std::uint32_t mark = 0, mask = 0;
  std::uint32_t table = 0;
  std::uint32_t priority = 0;
  std::uint8_t protocol = 83; ///< who made it; ours
  friend auto operator<=>(const MarkRule &, const MarkRule &) = default;
};

/// In the calling thread's namespace. No error if it is there.
Result<> add_mark_rule(const MarkRule &rule);
/// No error if it is not there.
Result<> remove_mark_rule(const MarkRule &rule);
Result<bool> has_mark_rule(const MarkRule &rule);

} // namespace sluice::kernel
