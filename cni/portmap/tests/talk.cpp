#include "cni/portmap/tests/talk.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace sluice::cni {
namespace {

struct Sockaddr {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Sockaddr sockaddr_of(const SocketAddress &address) {
  Sockaddr made;
  if (address.ip.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port.value);
    std::memcpy(&in.sin_addr, address.ip.bytes().data(), 4);
    std::memcpy(&made.storage, &in, made.length = sizeof in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port.value);
    std::memcpy(&in.sin6_addr, address.ip.bytes().data(), 16);
    std::memcpy(&made.storage, &in, made.length = sizeof in);
  }
  return made;
}

std::string text_of(const sockaddr_storage &storage) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void *address =
      storage.ss_family == AF_INET
          ? static_cast<const void *>(&reinterpret_cast<const sockaddr_in &>(storage).sin_addr)
          : &reinterpret_cast<const sockaddr_in6 &>(storage).sin6_addr;
  return ::inet_ntop(storage.ss_family, address, text.data(), text.size());
}

int type_of(Protocol protocol) {
  if (protocol == Protocol::sctp)
    return SOCK_RAW;
  return protocol == Protocol::udp ? SOCK_DGRAM : SOCK_STREAM;
}

/// RFC 4960, appendix B.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const auto byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

std::array<std::uint8_t, 32> sctp_init(Port to) {
  std::array<std::uint8_t, 32> packet = {0x30, 0x39, static_cast<std::uint8_t>(to.value >> 8),
                                         static_cast<std::uint8_t>(to.value)};
  const std::uint8_t chunk[] = {1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 1};
  std::copy(std::begin(chunk), std::end(chunk), packet.begin() + 12);
  const auto crc = crc32c(packet);
  std::memcpy(packet.data() + 8, &crc, sizeof crc);
  return packet;
}

UniqueFd socket_in(const kernel::NetNs &ns, Protocol protocol, Family family) {
  const int type = type_of(protocol);
  return ns
      .run([&]() -> Result<UniqueFd> {
        UniqueFd fd(::socket(family == Family::ipv4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC,
                             static_cast<int>(protocol)));
        if (!fd)
          return fail(Error::from_errno(errno, "open a socket"));
        const timeval patience = {1, 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        return fd;
      })
      .value();
}

} // namespace

UniqueFd serve(const kernel::NetNs &ns, Protocol protocol, const SocketAddress &at) {
  auto fd = socket_in(ns, protocol, at.ip.family());
  const auto address = sockaddr_of(at);
  // An earlier server's connections may live on.
  const int yes = 1;
  if (protocol == Protocol::tcp)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address.storage), address.length) != 0)
    std::abort();
  if (protocol == Protocol::tcp && ::listen(fd.get(), 8) != 0)
    std::abort();
  return fd;
}

std::string seen_by(const UniqueFd &server, const kernel::NetNs &ns, Protocol protocol,
                    const SocketAddress &to) {
  const auto client = socket_in(ns, protocol, to.ip.family());
  const auto address = sockaddr_of(to);
  if (::connect(client.get(), reinterpret_cast<const sockaddr *>(&address.storage),
                address.length) != 0)
    return "nothing";
  (void)::send(client.get(), "hello", 5, MSG_NOSIGNAL);
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  std::array<char, 16> buffer{};
  const bool seen =
      protocol == Protocol::udp
          ? ::recvfrom(server.get(), buffer.data(), buffer.size(), 0,
                       reinterpret_cast<sockaddr *>(&from), &length) == 5
          : bool(UniqueFd(::accept(server.get(), reinterpret_cast<sockaddr *>(&from), &length)));
  return seen ? text_of(from) : "nothing";
}

UdpClient::UdpClient(const kernel::NetNs &ns, const SocketAddress &to)
    : fd_(socket_in(ns, Protocol::udp, to.ip.family())) {
  const auto address = sockaddr_of(to);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr *>(&address.storage), address.length) !=
      0)
    std::abort();
}

void UdpClient::say(const std::string &text) const {
  // An ICMP error of an earlier datagram is told here, once.
  if (::send(fd_.get(), text.data(), text.size(), 0) < 0)
    (void)::send(fd_.get(), text.data(), text.size(), 0);
}

std::string heard_by(const UniqueFd &server) {
  std::array<char, 64> buffer{};
  const auto got = ::recv(server.get(), buffer.data(), buffer.size(), 0);
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "nothing";
}

std::string sctp_init_seen_in(const kernel::NetNs &at, const kernel::NetNs &from,
                              const SocketAddress &to) {
  const auto server = socket_in(at, Protocol::sctp, Family::ipv4);
  const auto client = socket_in(from, Protocol::sctp, Family::ipv4);
  const auto packet = sctp_init(to.port);
  const auto address = sockaddr_of({to.ip, Port{}});
  constexpr std::ptrdiff_t kIpHeader = 20;
  // Who has no answer after a second asks again (RFC 9260, T1-init).
  for (int attempt = 0; attempt < 3; ++attempt) {
    (void)::sendto(client.get(), packet.data(), packet.size(), 0,
                   reinterpret_cast<const sockaddr *>(&address.storage), address.length);
    sockaddr_storage source{};
    socklen_t length = sizeof source;
    std::array<std::uint8_t, 128> got{};
    if (::recvfrom(server.get(), got.data(), got.size(), 0, reinterpret_cast<sockaddr *>(&source),
                   &length) >= kIpHeader + 12)
      return text_of(source) + " to port " +
             std::to_string(got[kIpHeader + 2] << 8 | got[kIpHeader + 3]);
  }
  return "nothing";
}

} // namespace sluice::cni
