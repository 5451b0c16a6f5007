#include "kube/http/socket.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace sluice::kube::http {
namespace {

constexpr int kKeepaliveSeconds = 30;

socklen_t to_sockaddr(const SocketAddress &address, sockaddr_storage &storage) {
  storage = {};
  const auto bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    auto &v4 = reinterpret_cast<sockaddr_in &>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port.value);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    return sizeof v4;
  }
  auto &v6 = reinterpret_cast<sockaddr_in6 &>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port.value);
  std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
  return sizeof v6;
}

SocketAddress from_sockaddr(const sockaddr_storage &storage) {
  if (storage.ss_family == AF_INET) {
    const auto &v4 = reinterpret_cast<const sockaddr_in &>(storage);
    return {IpAddress::from_v4(ntohl(v4.sin_addr.s_addr)), Port(ntohs(v4.sin_port))};
  }
  if (storage.ss_family != AF_INET6)
    return {};
  const auto &v6 = reinterpret_cast<const sockaddr_in6 &>(storage);
  const std::span<const std::uint8_t> bytes(v6.sin6_addr.s6_addr, 16);
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
  return {IpAddress::from_bytes(mapped ? bytes.subspan(12) : bytes), Port(ntohs(v6.sin6_port))};
}

void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

int family_of(const SocketAddress &address) { return address.ip.is_v4() ? AF_INET : AF_INET6; }

tl::unexpected<Error> fail_errno(const std::string &doing) {
  return fail(Error::from_errno(errno, doing));
}

} // namespace

Result<UniqueFd> listen_on(const SocketAddress &address) {
  const std::string doing = "listen on " + address.str();
  UniqueFd socket(
      ::socket(family_of(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket)
    return fail_errno(doing);
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (!address.ip.is_v4())
    set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  sockaddr_storage storage;
  const socklen_t size = to_sockaddr(address, storage);
  if (::bind(socket.get(), reinterpret_cast<sockaddr *>(&storage), size) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0)
    return fail_errno(doing);
  return socket;
}

Result<> adopt_listener(const UniqueFd &socket) {
  int listening = 0;
  socklen_t size = sizeof listening;
  const std::string doing = "take over socket " + std::to_string(socket.get());
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0)
    return fail_errno(doing);
  if (listening == 0)
    return fail(Errc::invalid_input, doing + ": it does not listen");
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0)
    return fail_errno(doing);
  return {};
}

Result<SocketAddress> local_address(const UniqueFd &socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr *>(&storage), &size) != 0)
    return fail_errno("read the address of a socket");
  return from_sockaddr(storage);
}

Result<Accepted> accept_from(int listener) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  UniqueFd socket(::accept4(listener, reinterpret_cast<sockaddr *>(&storage), &size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket)
    return fail_errno("accept a connection");
  keep_watch(socket);
  return Accepted{std::move(socket), from_sockaddr(storage)};
}

Result<UniqueFd> begin_connect(const SocketAddress &address) {
  UniqueFd socket(
      ::socket(family_of(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket)
    return fail_errno("connect to " + address.str());
  keep_watch(socket);
  sockaddr_storage storage;
  const socklen_t size = to_sockaddr(address, storage);
  if (::connect(socket.get(), reinterpret_cast<sockaddr *>(&storage), size) != 0 &&
      errno != EINPROGRESS)
    return fail_errno("connect to " + address.str());
  return socket;
}

Result<> connect_result(const UniqueFd &socket) {
  int err = 0;
  socklen_t size = sizeof err;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &err, &size) != 0)
    return fail_errno("connect");
  return err == 0 ? Result<>() : Result<>(fail(Error::from_errno(err, "connect")));
}

void keep_watch(const UniqueFd &socket) noexcept {
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveSeconds);
  set_option(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(socket.get(), IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, kKeepaliveSeconds * 1000);
}

} // namespace sluice::kube::http
