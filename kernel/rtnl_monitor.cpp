#include "kernel/rtnl_monitor.hpp"

#include "kernel/rtnl/decode.hpp"
#include "kernel/rtnl/netlink_socket.hpp"

#include <cerrno>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace sluice::kernel {
namespace {

std::vector<int> multicast_groups(RtnlGroup group) {
  switch (group) {
  case RtnlGroup::links:
    return {RTNLGRP_LINK};
  case RtnlGroup::addresses:
    return {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
  case RtnlGroup::routes:
    return {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
  }
  return {};
}

void add_event(const nlmsghdr &message, std::vector<RtnlEvent> &events) {
  switch (message.nlmsg_type) {
  case RTM_NEWLINK:
  case RTM_DELLINK:
    // A port that leaves its bridge is announced with family AF_BRIDGE: the link itself stays.
    if (auto link = rtnl::decode_link(message);
        link && static_cast<const ifinfomsg *>(NLMSG_DATA(&message))->ifi_family == AF_UNSPEC)
      events.push_back(LinkEvent{message.nlmsg_type == RTM_DELLINK, std::move(*link)});
    break;
  case RTM_NEWADDR:
  case RTM_DELADDR:
    if (auto address = rtnl::decode_address(message))
      events.push_back(AddressEvent{message.nlmsg_type == RTM_DELADDR, *address});
    break;
  case RTM_NEWROUTE:
  case RTM_DELROUTE:
    for (auto &route : rtnl::decode_routes(message))
      events.push_back(RouteEvent{message.nlmsg_type == RTM_DELROUTE, std::move(route)});
    break;
  default:
    break;
  }
}

} // namespace

Result<RtnlMonitor> RtnlMonitor::open(const std::set<RtnlGroup> &groups) {
  const std::string doing = "listen to rtnetlink";
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  // Without a port of its own a socket is passed over: it looks like the sender, the kernel.
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&own), sizeof own) != 0)
    return fail(Error::from_errno(errno, doing));
  for (const auto group : groups)
    for (const int number : multicast_groups(group))
      if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &number, sizeof number) != 0)
        return fail(Error::from_errno(errno, doing));
  // More room makes an overrun rarer; a refusal changes nothing.
  const int bytes = 1 << 20;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  return RtnlMonitor(std::move(fd));
}

Result<std::vector<RtnlEvent>> RtnlMonitor::read_events() {
  std::vector<RtnlEvent> events;
  std::vector<std::uint8_t> buffer(32 * 1024);
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && errno == EAGAIN)
      return events;
    if (got < 0 && errno != ENOBUFS)
      return fail(Error::from_errno(errno, "read rtnetlink events"));
    if (got < 0 || static_cast<std::size_t>(got) > buffer.size())
      events.push_back(EventsLost{});
    else
      rtnl::for_each_message(std::span(buffer).first(static_cast<std::size_t>(got)),
                             [&](const nlmsghdr &message) {
                               add_event(message, events);
                               return true;
                             });
  }
}

} // namespace sluice::kernel
