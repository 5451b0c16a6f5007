#pragma once
// What the messages of traffic control have in common (rtnetlink(7), tc(8)).

#include "kernel/rtnl/netlink_socket.hpp"

#include <cstring>
#include <linux/rtnetlink.h>
#include <optional>
#include <span>
#include <string>

namespace sluice::cni::traffic {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
constexpr std::uint32_t kRootHandle = 0x0001'0000; // 1:

inline tcmsg header_of(kernel::IfIndex link, std::uint32_t parent, std::uint32_t handle) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = static_cast<int>(link.value);
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

template <class Plain> std::span<const std::uint8_t> bytes_of(const Plain &value) {
  return {reinterpret_cast<const std::uint8_t *>(&value), sizeof value};
}

template <class Plain> std::optional<Plain> plain_in(const nlattr *attribute) {
  if (!attribute || nla_len(attribute) < static_cast<int>(sizeof(Plain)))
    return std::nullopt;
  Plain value{};
  std::memcpy(&value, nla_data(attribute), sizeof value);
  return value;
}

inline std::string named(const char *doing, kernel::IfIndex link) {
  return std::string(doing) + " on link number " + std::to_string(link.value);
}

/// A rate as the kernel's old fields hold it; what is above goes into an attribute of 64 bits.
inline std::uint32_t cut_to_32_bits(std::uint64_t rate_bytes) {
  return rate_bytes > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(rate_bytes);
}

} // namespace sluice::cni::traffic
