#pragma once
// Socket addresses as the kernel wants them.

#include "net/port.hpp"
#include "net/unique_fd.hpp"

#include <sys/socket.h>

namespace sluice::integration::packets {

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr *get() { return reinterpret_cast<sockaddr *>(&storage); }
  static KernelAddress of(const SocketAddress &address);
  SocketAddress value() const;
};

int domain_of(Family family) noexcept;
IpAddress unspecified(Family family);
SocketAddress local_of(int fd);
SocketAddress peer_of(int fd);

/// How often this machine had no room for one more neighbour, since it runs: its table of IPv6
/// neighbours is one for all namespaces (1024 entries), and what would go to a new one is lost.
std::uint64_t refused_neighbours();

/// poll(2) on one descriptor: its revents; 0 when the time is over.
short wait_for(int fd, short events, int milliseconds);

} // namespace sluice::integration::packets
