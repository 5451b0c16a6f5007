#pragma once
// Walking netlink attributes (libmnl's macros are C), inside this library only.

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>
#include <span>

namespace sluice::kernel::nft::detail {

/// Calls `each(attribute)` for those that lie wholly inside `bytes`; `each` answers whether to go
/// on.
template <class Each> void for_each_attribute(std::span<const std::uint8_t> bytes, Each each) {
  while (bytes.size() >= sizeof(nlattr)) {
    const auto *attribute = reinterpret_cast<const nlattr *>(bytes.data());
    const std::size_t length = mnl_attr_get_len(attribute);
    if (length < sizeof(nlattr) || length > bytes.size() || !each(attribute))
      return;
    bytes = bytes.subspan(std::min<std::size_t>(MNL_ALIGN(length), bytes.size()));
  }
}

inline std::span<const std::uint8_t> payload_of(const nlattr *attribute) {
  return {static_cast<const std::uint8_t *>(mnl_attr_get_payload(attribute)),
          mnl_attr_get_payload_len(attribute)};
}

/// What follows `skip` bytes of a message's payload.
inline std::span<const std::uint8_t> payload_of(const nlmsghdr *message, std::size_t skip) {
  const std::span all(static_cast<const std::uint8_t *>(mnl_nlmsg_get_payload(message)),
                      mnl_nlmsg_get_payload_len(message));
  return all.subspan(std::min<std::size_t>(MNL_ALIGN(skip), all.size()));
}

} // namespace sluice::kernel::nft::detail
