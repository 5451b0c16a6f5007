#include "cni/address_watch.hpp"

#include "cni/link_removal.hpp"
#include "kernel/rtnl/decode.hpp"
#include "kernel/rtnl/netlink_socket.hpp"

#include <algorithm>
#include <array>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

namespace sluice::cni {
namespace {

constexpr int kPatienceMs = 1000;

} // namespace

Result<AddressWatch> AddressWatch::open(const std::vector<IpAddress> &addresses) {
  AddressWatch watch;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(watch.missing_),
               [](const IpAddress &ip) { return !ip.is_v4(); });
  if (watch.missing_.empty())
    return watch;
  SLUICE_ASSIGN(watch.listener_, open_route_socket(RTMGRP_IPV6_IFADDR), "listen for addresses");
  return watch;
}

void AddressWatch::wait() {
  while (!missing_.empty()) {
    pollfd ready{listener_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) <= 0)
      return;
    alignas(nlmsghdr) std::array<std::uint8_t, 4096> buffer;
    const auto got = ::recv(listener_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0)
      return;
    kernel::rtnl::for_each_message(
        std::span(buffer).first(static_cast<std::size_t>(got)), [&](const nlmsghdr &message) {
          if (const auto is = message.nlmsg_type == RTM_NEWADDR
                                  ? kernel::rtnl::decode_address(message)
                                  : std::nullopt)
            missing_.erase(std::remove(missing_.begin(), missing_.end(), is->address.ip),
                           missing_.end());
          return true;
        });
  }
}

std::vector<IpAddress> undetected(const AddResult &addresses, bool duplicate_address_detection) {
  std::vector<IpAddress> ips;
  if (!duplicate_address_detection)
    for (const auto &ip : addresses.ips)
      ips.push_back(ip.address.ip);
  return ips;
}

} // namespace sluice::cni
