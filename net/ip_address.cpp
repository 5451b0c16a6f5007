#include "net/ip_address.hpp"

#include "net/hash.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cassert>
#include <charconv>
#include <cstring>

namespace sluice {
namespace {

constexpr std::array<std::uint8_t, 12> kV4MappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Error not_an_address(std::string_view text) {
  return {Errc::invalid_input, "\"" + std::string(text) + "\" is not an IP address"};
}

/// Dotted quad by hand: inet_pton takes no leading zeros, which `parse_sloppy` must read as
/// decimal.
Result<IpAddress> parse_v4(std::string_view text, bool leading_zeros) {
  std::array<std::uint8_t, 4> bytes{};
  const char *at = text.data();
  const char *end = at + text.size();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.'))
      return fail(not_an_address(text));
    const char *from = at;
    const auto parsed = std::from_chars(at, end, bytes[i]);
    if (parsed.ec != std::errc{} || (!leading_zeros && *from == '0' && parsed.ptr - from > 1))
      return fail(not_an_address(text));
    at = parsed.ptr;
  }
  if (at != end)
    return fail(not_an_address(text));
  return IpAddress::from_bytes(bytes);
}

Result<IpAddress> parse_any(std::string_view text, bool leading_zeros) {
  if (text.find(':') == std::string_view::npos)
    return parse_v4(text, leading_zeros);
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::array<std::uint8_t, 16> bytes{};
  if (text.size() >= terminated.size())
    return fail(not_an_address(text));
  std::copy(text.begin(), text.end(), terminated.begin());
  // A NUL inside would end the text early for inet_pton.
  if (text.find('\0') != std::string_view::npos ||
      ::inet_pton(AF_INET6, terminated.data(), bytes.data()) != 1)
    return fail(not_an_address(text));
  if (std::equal(kV4MappedPrefix.begin(), kV4MappedPrefix.end(), bytes.begin()))
    return IpAddress::from_bytes(std::span(bytes).last(4));
  return IpAddress::from_bytes(bytes);
}

/// As inet_ntop(3), which formats by printf and takes ten times as long. Returns the end.
char *print_v4(const std::uint8_t *bytes, char *at) {
  for (int i = 0; i < 4; ++i) {
    if (i > 0)
      *at++ = '.';
    at = std::to_chars(at, at + 3, bytes[i]).ptr;
  }
  return at;
}

/// Splits "address/length". Only the syntax is checked here.
Result<InterfaceAddress> parse_prefixed(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos)
    return fail(Errc::invalid_input,
                "\"" + std::string(text) + "\" has no prefix length (expected address/length)");
  SLUICE_ASSIGN(const IpAddress ip, IpAddress::parse(text.substr(0, slash)),
                "\"" + std::string(text) + "\"");
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool canonical = !digits.empty() && (digits.size() == 1 || digits[0] != '0');
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || !canonical ||
      length > ip.bits())
    return fail(Errc::invalid_input, "\"" + std::string(text) +
                                         "\" has a prefix length outside 0.." +
                                         std::to_string(ip.bits()));
  return InterfaceAddress{ip, length};
}

std::uint8_t mask_byte(unsigned prefix_length, std::size_t index) noexcept {
  const auto before = static_cast<unsigned>(index) * 8;
  if (prefix_length <= before)
    return 0;
  return static_cast<std::uint8_t>(0xffU << (8 - std::min(prefix_length - before, 8U)));
}

using Number = unsigned __int128; // an address of either family as a big-endian number

/// Adds `value` modulo the size of the address space.
IpAddress sum(const IpAddress &ip, Number value) {
  Number number = 0;
  for (const auto byte : ip.bytes())
    number = number << 8 | byte;
  number += value;
  std::array<std::uint8_t, 16> bytes{};
  const auto used = std::span(bytes).first(ip.bytes().size());
  for (auto byte = used.rbegin(); byte != used.rend(); ++byte, number >>= 8)
    *byte = static_cast<std::uint8_t>(number);
  return IpAddress::from_bytes(used);
}

} // namespace

std::string_view name_of(Family family) noexcept {
  return family == Family::ipv4 ? "IPv4" : "IPv6";
}

Result<IpAddress> IpAddress::parse(std::string_view text) { return parse_any(text, false); }

Result<IpAddress> IpAddress::parse_sloppy(std::string_view text) { return parse_any(text, true); }

IpAddress IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  assert(bytes.size() == 4 || bytes.size() == 16);
  IpAddress ip;
  ip.family_ = bytes.size() == 4 ? Family::ipv4 : Family::ipv6;
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  return ip;
}

IpAddress IpAddress::from_v4(std::uint32_t host_order) {
  const std::array<std::uint8_t, 4> bytes = {
      static_cast<std::uint8_t>(host_order >> 24), static_cast<std::uint8_t>(host_order >> 16),
      static_cast<std::uint8_t>(host_order >> 8), static_cast<std::uint8_t>(host_order)};
  return from_bytes(bytes);
}

std::uint32_t IpAddress::v4() const noexcept {
  if (!is_v4())
    return 0;
  return std::uint32_t{bytes_[0]} << 24 | std::uint32_t{bytes_[1]} << 16 |
         std::uint32_t{bytes_[2]} << 8 | bytes_[3];
}

bool IpAddress::is_unspecified() const noexcept {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const noexcept {
  if (is_v4())
    return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1,
                     [](std::uint8_t byte) { return byte == 0; }) &&
         bytes_[15] == 1;
}

bool IpAddress::is_link_local() const noexcept {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254
                 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const noexcept {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

IpAddress IpAddress::advanced(std::int64_t offset) const noexcept {
  return sum(*this, static_cast<Number>(static_cast<__int128>(offset)));
}

std::string IpAddress::str() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4())
    return {text.data(), print_v4(bytes_.data(), text.data())};
  ::inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

Cidr::Cidr(IpAddress address, unsigned prefix_length) noexcept
    : prefix_length_(std::min(prefix_length, address.bits())) {
  std::array<std::uint8_t, 16> bytes{};
  const auto from = address.bytes();
  for (std::size_t i = 0; i < from.size(); ++i)
    bytes[i] = from[i] & mask_byte(prefix_length_, i);
  address_ = IpAddress::from_bytes(std::span(bytes).first(from.size()));
}

Result<Cidr> Cidr::parse(std::string_view text) {
  auto parsed = parse_prefixed(text);
  if (!parsed)
    return fail(std::move(parsed.error()));
  const Cidr network = parsed->network();
  if (network.address() != parsed->ip)
    return fail(Errc::invalid_input,
                "\"" + std::string(text) + "\" has host bits set; the network is " + network.str());
  return network;
}

bool Cidr::contains(const IpAddress &ip) const noexcept {
  return ip.family() == family() && Cidr(ip, prefix_length_).address_ == address_;
}

bool Cidr::contains(const Cidr &other) const noexcept {
  return other.prefix_length_ >= prefix_length_ && contains(other.address_);
}

IpAddress Cidr::last() const noexcept {
  std::array<std::uint8_t, 16> bytes{};
  const auto from = address_.bytes();
  for (std::size_t i = 0; i < from.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(from[i] | ~mask_byte(prefix_length_, i));
  return IpAddress::from_bytes(std::span(bytes).first(from.size()));
}

IpAddress Cidr::netmask() const noexcept {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = mask_byte(prefix_length_, i);
  return IpAddress::from_bytes(std::span(bytes).first(address_.bits() / 8U));
}

std::uint64_t Cidr::subnet_count(unsigned prefix_length) const noexcept {
  if (prefix_length < prefix_length_ || prefix_length > address_.bits())
    return 0;
  return std::uint64_t{1} << std::min(prefix_length - prefix_length_, 63U);
}

Result<Cidr> Cidr::subnet(unsigned prefix_length, std::uint64_t index) const {
  if (index >= subnet_count(prefix_length))
    return fail(Errc::exhausted, str() + " has no /" + std::to_string(prefix_length) + " number " +
                                     std::to_string(index));
  const auto network =
      sum(address_, static_cast<Number>(index) << (address_.bits() - prefix_length));
  return Cidr(network, prefix_length);
}

std::string Cidr::str() const { return address_.str() + "/" + std::to_string(prefix_length_); }

Result<InterfaceAddress> InterfaceAddress::parse(std::string_view text) {
  return parse_prefixed(text);
}

std::string InterfaceAddress::str() const { return ip.str() + "/" + std::to_string(prefix_length); }

Result<std::vector<Cidr>> parse_cidr_list(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  std::vector<Cidr> list;
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto item = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    item.remove_prefix(std::min(item.find_first_not_of(kBlank), item.size()));
    item = item.substr(0, item.find_last_not_of(kBlank) + 1);
    SLUICE_ASSIGN(const Cidr network, Cidr::parse(item), "network list");
    list.push_back(network);
  }
  return list;
}

} // namespace sluice

std::size_t std::hash<sluice::IpAddress>::operator()(const sluice::IpAddress &ip) const noexcept {
  const auto bytes = ip.bytes();
  return sluice::fnv1a_64({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}
