#pragma once
// What the kernel answers, inside this library only.

#include "kernel/nft/nft.hpp"

struct nlmsghdr;

namespace sluice::kernel::nft::detail {

/// The kernel's answer to one message (uapi/linux/netlink.h nlmsgerr).
struct Ack {
  std::uint32_t sequence = 0;
  int error = 0;                      ///< a positive errno; 0: done
  std::string text;                   ///< NLMSGERR_ATTR_MSG
  std::uint32_t attribute_offset = 0; ///< NLMSGERR_ATTR_OFFS; 0: not said
};
Ack ack_from(const nlmsghdr *message);

TableInfo table_from(const nlmsghdr *message);
/// Nothing if it is of another table.
std::optional<Chain> chain_from(const nlmsghdr *message, const TableId &table);
std::optional<SetInfo> set_from(const nlmsghdr *message, const TableId &table);
void elements_from(const nlmsghdr *message, ElementSink &sink);
std::uint32_t generation_from(const nlmsghdr *message);
/// The table that a notification speaks of.
TableId table_of(const nlmsghdr *message);

} // namespace sluice::kernel::nft::detail
