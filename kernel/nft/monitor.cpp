#include "kernel/nft/monitor.hpp"
#include "kernel/nft/decode.hpp"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sluice::kernel::nft {
namespace {

constexpr int kReceiveBufferBytes = 1 << 20; // a large commit of ours is announced here too

} // namespace

Result<NftMonitor> NftMonitor::open(TableId table, std::vector<std::uint32_t> own_ports) {
  const auto doing = "watch nft table \"" + table.str() + "\"";
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!fd)
    return fail(Error::from_errno(errno, doing + ": open a socket"));
  const sockaddr_nl address{.nl_family = AF_NETLINK};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
    return fail(Error::from_errno(errno, doing + ": bind"));
  // Best effort: with the default an overrun comes sooner, and is told.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes,
               sizeof kReceiveBufferBytes);
  return NftMonitor(std::move(fd), std::move(table), std::move(own_ports));
}

Result<> NftMonitor::listen() {
  const int group = NFNLGRP_NFTABLES;
  if (::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return fail(Error::from_errno(errno, "watch nft table \"" + table_.str() +
                                             "\": join NFNLGRP_NFTABLES"));
  return {};
}

Result<TableEvents> NftMonitor::take_events() {
  TableEvents events;
  std::vector<std::uint8_t> buffer(64 * 1024);
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return events;
    if (got < 0 && errno == ENOBUFS)
      events.overrun = true;
    else if (got < 0 && errno != EINTR)
      return fail(Error::from_errno(errno, "watch nft table \"" + table_.str() + "\""));
    int left = static_cast<int>(std::max<ssize_t>(got, 0));
    const auto *message = reinterpret_cast<const nlmsghdr *>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      const auto kind = message->nlmsg_type & 0xff;
      if (kind == NFT_MSG_NEWGEN ||
          std::find(own_ports_.begin(), own_ports_.end(), message->nlmsg_pid) != own_ports_.end() ||
          detail::table_of(message) != table_)
        continue;
      events.changed_by_others = true;
      events.deleted_by_others = events.deleted_by_others || kind == NFT_MSG_DELTABLE;
    }
  }
}

} // namespace sluice::kernel::nft
