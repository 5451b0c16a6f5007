#pragma once
// The socket that nf_tables and conntrack share (linux/netfilter/nfnetlink.h). The kernel works a
// request off before send(2) returns, and makes the next part of a dump when the one before is
// taken: nothing here ever waits.

#include "kernel/rtnl/message.hpp"
#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <arpa/inet.h>
#include <array>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <vector>

namespace sluice::cni {

inline nfgenmsg nfnetlink_header(std::uint8_t family, std::uint16_t resource = 0) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  return header;
}

Result<UniqueFd> open_netfilter_socket();

/// All messages in one datagram.
Result<> send_netfilter(const UniqueFd &fd, std::vector<kernel::rtnl::Message> &messages);

/// Calls `visit` for every message of the next datagram; false when there is none.
template <class Visit> bool receive_netfilter(const UniqueFd &fd, Visit visit) {
  alignas(nlmsghdr) std::array<char, 16 * 1024> buffer;
  const auto got = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  auto left = static_cast<unsigned>(got > 0 ? got : 0);
  for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, left);
       message = NLMSG_NEXT(message, left))
    visit(*message);
  return got > 0;
}

/// The errno that this message reports; 0 if it reports none.
inline int error_in(const nlmsghdr &message) {
  return message.nlmsg_type == NLMSG_ERROR
             ? -static_cast<const nlmsgerr *>(NLMSG_DATA(&message))->error
             : 0;
}

} // namespace sluice::cni
