#pragma once
// Transport protocols, ports, and pairs of address and port.

#include "net/ip_address.hpp"
#include "net/strong.hpp"

namespace sluice {

/// 0..65535 in host byte order, always.
using Port = Strong<struct PortTag, std::uint16_t>;

/// 1..65535 in decimal without sign or leading zeros; anything else is invalid_input.
Result<Port> parse_port(std::string_view text);

/// IANA protocol numbers.
enum class Protocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 };

/// "TCP", "UDP", "SCTP", as Kubernetes writes them.
std::string_view name_of(Protocol protocol) noexcept;
/// Any case is accepted; an unknown name is invalid_input.
Result<Protocol> parse_protocol(std::string_view text);

/// An address with a port: what a socket is bound to, what a packet is translated to.
struct SocketAddress {
  IpAddress ip;
  Port port;

  /// "10.0.0.1:80", "[2001:db8::1]:80".
  static Result<SocketAddress> parse(std::string_view text);
  std::string str() const;
  friend auto operator<=>(const SocketAddress &, const SocketAddress &) = default;
};

} // namespace sluice

template <> struct std::hash<sluice::SocketAddress> {
  std::size_t operator()(const sluice::SocketAddress &address) const noexcept {
    return std::hash<sluice::IpAddress>{}(address.ip) * 31 + address.port.value;
  }
};
