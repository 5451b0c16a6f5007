#pragma once
// One netlink message, built with libnl-3's attribute functions. They fail only when the message's
// page is full, which no message of ours reaches, or when there is no memory left: abort. Texts are
// checked for their length before.

#include "net/ip_address.hpp"
#include "net/mac_address.hpp"

#include <cstdlib>
#include <memory>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <span>
#include <string>

namespace sluice::kernel::rtnl {

class Message {
public:
  /// Appends `header` (ifinfomsg, rtmsg, ...) after the nlmsghdr. NLM_F_REQUEST is set always.
  template <class Header>
  Message(std::uint16_t type, std::uint16_t flags, const Header &header)
      : message_(nlmsg_alloc_simple(type, flags | NLM_F_REQUEST)) {
    check(message_ ? 0 : -1);
    append(header);
  }

  template <class Header> void append(const Header &header) {
    check(
        nlmsg_append(message_.get(), const_cast<Header *>(&header), sizeof header, NLMSG_ALIGNTO));
  }
  void put(int attribute, std::span<const std::uint8_t> bytes) {
    check(nla_put(message_.get(), attribute, static_cast<int>(bytes.size()), bytes.data()));
  }
  void put(int attribute, const IpAddress &ip) { put(attribute, ip.bytes()); }
  void put(int attribute, const MacAddress &mac) { put(attribute, mac.bytes()); }
  void put(int attribute, const std::string &text) {
    check(nla_put_string(message_.get(), attribute, text.c_str()));
  }
  void put_u8(int attribute, std::uint8_t value) {
    check(nla_put_u8(message_.get(), attribute, value));
  }
  void put_u32(int attribute, std::uint32_t value) {
    check(nla_put_u32(message_.get(), attribute, value));
  }
  /// `fill` puts the attributes that lie inside `attribute`.
  template <class Fill> void nest(int attribute, Fill fill) {
    auto *start = nla_nest_start(message_.get(), attribute);
    check(start ? 0 : -1);
    fill();
    nla_nest_end(message_.get(), start);
  }

  nlmsghdr &header() noexcept { return *nlmsg_hdr(message_.get()); }
  /// The whole message, valid until it is changed.
  std::span<const std::uint8_t> bytes() noexcept {
    return {reinterpret_cast<const std::uint8_t *>(&header()), header().nlmsg_len};
  }

private:
  static void check(int result) {
    if (result < 0)
      std::abort();
  }
  struct Free {
    void operator()(nl_msg *message) const noexcept { nlmsg_free(message); }
  };
  std::unique_ptr<nl_msg, Free> message_;
};

} // namespace sluice::kernel::rtnl
