#include "proxy/iptables/rule_text.hpp"

#include <cmath>
#include <cstdio>

namespace sluice::proxy::iptables {
namespace {

std::string hex_word(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%x", value);
  return text.data();
}

std::string both(std::uint32_t bits) { return hex_word(bits) + "/" + hex_word(bits); }

} // namespace

std::string lower_name(Protocol protocol) {
  switch (protocol) {
  case Protocol::tcp:
    return "tcp";
  case Protocol::udp:
    return "udp";
  case Protocol::sctp:
    break;
  }
  return "sctp";
}

std::string words(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts)
    if (!part.empty())
      text.append(text.empty() ? "" : " ").append(part);
  return text;
}

std::string port_match(const Frontend &frontend, const std::string &comment) {
  const auto protocol = lower_name(frontend.protocol);
  return words(
      {"-p", protocol, comment, "-m", protocol, "--dport", std::to_string(frontend.port.value)});
}

std::string frontend_match(const Frontend &frontend, const std::string &comment) {
  if (!frontend.address)
    return port_match(frontend, comment);
  return words({"-d", Cidr::host(*frontend.address).str(), port_match(frontend, comment)});
}

std::string comment_of(const ServicePortName &service) {
  return "-m comment --comment \"" + service.str() + "\"";
}

std::vector<std::string> pod_phrases(const LocalDetector &detector) {
  std::vector<std::string> phrases;
  switch (detector.kind) {
  case LocalDetector::Kind::cidr:
    for (const auto &cidr : detector.cidrs)
      phrases.push_back(cidr.prefix_length() == 0 ? "" : "-s " + cidr.str());
    break;
  case LocalDetector::Kind::interface_name:
    phrases.push_back("-i " + detector.interface);
    break;
  case LocalDetector::Kind::interface_prefix:
    phrases.push_back("-i " + detector.interface + "+");
    break;
  case LocalDetector::Kind::none:
    break;
  }
  return phrases;
}

std::vector<std::string> node_port_phrases(Family family, const NodeInfo &node) {
  if (node.anyNodePortAddress)
    return {std::string("! -d ") + (family == Family::ipv4 ? "127.0.0.0/8" : "::1/128") +
            " -m addrtype --dst-type LOCAL"};
  std::vector<std::string> phrases;
  for (const auto &address : node.nodePortAddresses)
    if (address.family() == family && !address.is_loopback())
      phrases.push_back("-d " + Cidr::host(address).str());
  return phrases;
}

std::string set_mark(std::uint32_t bits) { return "-j MARK --set-xmark " + both(bits); }

std::string clear_set_mark(std::uint32_t bits) {
  return "-j MARK --set-xmark " + hex_word(bits) + "/0x0"; // exclusive or
}

std::string set_ct_mark(std::uint32_t bits) { return "-j CONNMARK --set-xmark " + both(bits); }
std::string ct_mark_has(std::uint32_t bits) { return "-m connmark --mark " + both(bits); }
std::string mark_has(std::uint32_t bits) { return "-m mark --mark " + both(bits); }
std::string mark_lacks(std::uint32_t bits) { return "-m mark ! --mark " + both(bits); }

std::string refuse(Family family, WhenEmpty verdict) {
  if (verdict == WhenEmpty::drop)
    return "-j DROP";
  return std::string("-j REJECT --reject-with ") +
         (family == Family::ipv4 ? "icmp-port-unreachable" : "icmp6-port-unreachable");
}

std::string dnat(const SocketAddress &endpoint) {
  return "-j DNAT --to-destination " + endpoint.str();
}

std::string one_of(std::size_t left) {
  if (left <= 1)
    return "";
  // The kernel counts in units of 2^-31, and iptables-save prints what the kernel has.
  constexpr double kUnit = 2147483648.0;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "-m statistic --mode random --probability %.11f",
                std::round(kUnit / static_cast<double>(left)) / kUnit);
  return text.data();
}

} // namespace sluice::proxy::iptables
