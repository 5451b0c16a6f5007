#include "net/port.hpp"

#include <charconv>
#include <strings.h>

namespace sluice {

Result<Port> parse_port(std::string_view text) {
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number == 0 ||
      text[0] == '0')
    return fail(Errc::invalid_input, "\"" + std::string(text) + "\" is not a port (1..65535)");
  return Port(number);
}

std::string_view name_of(Protocol protocol) noexcept {
  switch (protocol) {
  case Protocol::tcp:
    return "TCP";
  case Protocol::udp:
    return "UDP";
  case Protocol::sctp:
    return "SCTP";
  }
  return "unknown";
}

Result<Protocol> parse_protocol(std::string_view text) {
  for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp}) {
    const auto name = name_of(protocol);
    if (name.size() == text.size() && ::strncasecmp(name.data(), text.data(), text.size()) == 0)
      return protocol;
  }
  return fail(Errc::invalid_input,
              "\"" + std::string(text) + "\" is not a protocol (TCP, UDP or SCTP)");
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto doing = "\"" + std::string(text) + "\"";
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return fail(Errc::invalid_input, doing + " has no port (expected address:port)");
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return fail(Errc::invalid_input, doing + ": an IPv6 address before a port needs brackets");
  SLUICE_ASSIGN(const IpAddress ip, IpAddress::parse(host), doing);
  SLUICE_ASSIGN(const Port port, parse_port(text.substr(colon + 1)), doing);
  return SocketAddress{ip, port};
}

std::string SocketAddress::str() const {
  const auto number = std::to_string(port.value);
  return ip.is_v4() ? ip.str() + ":" + number : "[" + ip.str() + "]:" + number;
}

} // namespace sluice
