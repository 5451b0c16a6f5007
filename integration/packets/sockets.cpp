#include "integration/packets/sockets.hpp"

#include "kernel/files.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>

namespace sluice::integration::packets {

KernelAddress KernelAddress::of(const SocketAddress &address) {
  KernelAddress out;
  if (address.ip.is_v4()) {
    auto *in = reinterpret_cast<sockaddr_in *>(&out.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port.value);
    std::memcpy(&in->sin_addr, address.ip.bytes().data(), 4);
    out.length = sizeof *in;
  } else {
    auto *in = reinterpret_cast<sockaddr_in6 *>(&out.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(address.port.value);
    std::memcpy(&in->sin6_addr, address.ip.bytes().data(), 16);
    out.length = sizeof *in;
  }
  return out;
}

SocketAddress KernelAddress::value() const {
  if (storage.ss_family == AF_INET) {
    const auto *in = reinterpret_cast<const sockaddr_in *>(&storage);
    return {IpAddress::from_v4(ntohl(in->sin_addr.s_addr)), Port(ntohs(in->sin_port))};
  }
  const auto *in = reinterpret_cast<const sockaddr_in6 *>(&storage);
  return {IpAddress::from_bytes({in->sin6_addr.s6_addr, 16}), Port(ntohs(in->sin6_port))};
}

int domain_of(Family family) noexcept { return family == Family::ipv4 ? AF_INET : AF_INET6; }

IpAddress unspecified(Family family) {
  const std::uint8_t zeros[16] = {};
  return IpAddress::from_bytes({zeros, family == Family::ipv4 ? 4U : 16U});
}

SocketAddress local_of(int fd) {
  KernelAddress address;
  ::getsockname(fd, address.get(), &address.length);
  return address.value();
}

SocketAddress peer_of(int fd) {
  KernelAddress address;
  ::getpeername(fd, address.get(), &address.length);
  return address.value();
}

/// A line of names, then a line of hexadecimal numbers for each processor.
std::uint64_t refused_neighbours() {
  std::uint64_t sum = 0;
  for (const auto *file : {"/proc/net/stat/ndisc_cache", "/proc/net/stat/arp_cache"}) {
    std::istringstream lines(kernel::read_file(file).value_or(""));
    std::string line, word;
    std::getline(lines, line);
    std::istringstream names(line);
    std::size_t column = 0;
    while (names >> word && word != "table_fulls")
      ++column;
    while (std::getline(lines, line)) {
      std::istringstream numbers(line);
      for (std::size_t i = 0; numbers >> word && i <= column; ++i)
        sum += i == column ? std::stoull(word, nullptr, 16) : 0;
    }
  }
  return sum;
}

short wait_for(int fd, short events, int milliseconds) {
  pollfd wait{.fd = fd, .events = events, .revents = 0};
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    const int got = ::poll(&wait, 1, std::max(0, static_cast<int>(left.count())));
    if (got >= 0 || errno != EINTR)
      return got > 0 ? wait.revents : short{0};
  }
}

} // namespace sluice::integration::packets
