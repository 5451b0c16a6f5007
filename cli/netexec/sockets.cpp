#include "cli/netexec/sockets.hpp"

#include <cerrno>
#include <cstring>
#include <netinet/in.h>

namespace sluice::netexec {
namespace {

Result<UniqueFd> bound_socket(int family, Port port, int type) {
  UniqueFd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto doing = "listen on port " + std::to_string(port.value);
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  const int on = 1;
  const int off = 0;
  if (type == SOCK_STREAM)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  } else {
    ::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  }
  sockaddr_storage raw{};
  raw.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET6)
    reinterpret_cast<sockaddr_in6 *>(&raw)->sin6_port = htons(port.value);
  else
    reinterpret_cast<sockaddr_in *>(&raw)->sin_port = htons(port.value);
  const socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::bind(fd.get(), reinterpret_cast<sockaddr *>(&raw), size) != 0 ||
      (type == SOCK_STREAM && ::listen(fd.get(), 4096) != 0))
    return fail(Error::from_errno(errno, doing));
  return fd;
}

} // namespace

SocketAddress to_address(const sockaddr_storage &raw) {
  if (raw.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &raw, sizeof v4);
    return {IpAddress::from_v4(ntohl(v4.sin_addr.s_addr)), Port(ntohs(v4.sin_port))};
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &raw, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    return {IpAddress::from_bytes({v6.sin6_addr.s6_addr + 12, 4}), Port(ntohs(v6.sin6_port))};
  return {IpAddress::from_bytes({v6.sin6_addr.s6_addr, 16}), Port(ntohs(v6.sin6_port))};
}

socklen_t to_sockaddr(const SocketAddress &address, sockaddr_storage &raw) {
  raw = {};
  const auto bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    auto &v4 = reinterpret_cast<sockaddr_in &>(raw);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port.value);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    return sizeof(sockaddr_in);
  }
  auto &v6 = reinterpret_cast<sockaddr_in6 &>(raw);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port.value);
  std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
  return sizeof(sockaddr_in6);
}

Result<UniqueFd> listen_on(Port port, int type) {
  auto fd = bound_socket(AF_INET6, port, type);
  if (!fd && (fd.error().sys() == EAFNOSUPPORT || fd.error().sys() == EADDRNOTAVAIL))
    return bound_socket(AF_INET, port, type);
  return fd;
}

SocketAddress local_of(int fd) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  ::getsockname(fd, reinterpret_cast<sockaddr *>(&raw), &size);
  return to_address(raw);
}

} // namespace sluice::netexec
