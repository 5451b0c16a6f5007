#pragma once
// IP addresses, networks and addresses with a prefix length, as values. Parse at the border; inside
// the program nothing is text. Everything here is a plain value: copyable, comparable, thread-safe.

#include "net/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// "IPv4" or "IPv6", as Kubernetes writes it.
std::string_view name_of(Family family) noexcept;

/// An IPv4 or IPv6 address, held in network byte order. IPv4 sorts before IPv6.
class IpAddress {
public:
  /// 0.0.0.0
  constexpr IpAddress() noexcept = default;

  /// Strict: dotted quads without leading zeros, RFC 4291 text for IPv6 (no zone, no brackets).
  /// An IPv4-mapped IPv6 address (::ffff:a.b.c.d) becomes the IPv4 address.
  static Result<IpAddress> parse(std::string_view text);
  /// As `parse`, but leading zeros in a dotted quad are read as decimal. Old Kubernetes objects
  /// hold such text (172.30.0.041); only for fields that the API server would refuse today.
  static Result<IpAddress> parse_sloppy(std::string_view text);
  /// 4 or 16 bytes in network order; any other size is a programming error (asserted).
  static IpAddress from_bytes(std::span<const std::uint8_t> bytes);
  /// The host-order number 0x0a000001 is 10.0.0.1.
  static IpAddress from_v4(std::uint32_t host_order);

  constexpr Family family() const noexcept { return family_; }
  constexpr bool is_v4() const noexcept { return family_ == Family::ipv4; }
  /// 32 or 128
  constexpr unsigned bits() const noexcept { return is_v4() ? 32U : 128U; }
  /// 4 or 16 bytes, network order; valid as long as this object lives.
  std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), bits() / 8U}; }
  /// Host-order number of an IPv4 address; 0 for IPv6.
  std::uint32_t v4() const noexcept;

  bool is_unspecified() const noexcept;
  bool is_loopback() const noexcept;   ///< 127.0.0.0/8, ::1
  bool is_link_local() const noexcept; ///< 169.254.0.0/16, fe80::/10
  bool is_multicast() const noexcept;  ///< 224.0.0.0/4, ff00::/8

  /// The address `offset` further on (may be negative); wraps at the end of the address space.
  IpAddress advanced(std::int64_t offset) const noexcept;

  /// Canonical text: dotted quad, or RFC 5952.
  std::string str() const;

  friend constexpr auto operator<=>(const IpAddress &, const IpAddress &) = default;
  friend constexpr bool operator==(const IpAddress &, const IpAddress &) = default;

private:
  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> bytes_{};
};

/// A network: its host bits are zero, always.
class Cidr {
public:
  /// 0.0.0.0/0
  constexpr Cidr() noexcept = default;
  /// Masks the host bits of `address` off. `prefix_length` above the family's bits is cut to them.
  Cidr(IpAddress address, unsigned prefix_length) noexcept;
  /// Strict: "10.0.0.0/8"; host bits set or no prefix length is an error that says so.
  static Result<Cidr> parse(std::string_view text);
  /// /32 or /128
  static Cidr host(IpAddress address) noexcept { return {address, address.bits()}; }

  const IpAddress &address() const noexcept { return address_; }
  unsigned prefix_length() const noexcept { return prefix_length_; }
  Family family() const noexcept { return address_.family(); }
  bool contains(const IpAddress &ip) const noexcept;
  bool contains(const Cidr &other) const noexcept;
  bool overlaps(const Cidr &other) const noexcept {
    return contains(other) || other.contains(*this);
  }
  /// First and last address of the network (for IPv4 the last one is the broadcast address).
  const IpAddress &first() const noexcept { return address_; }
  IpAddress last() const noexcept;
  /// The netmask as an address of the same family.
  IpAddress netmask() const noexcept;
  /// The `index`-th network of length `prefix_length` inside this one; an error if there is none.
  Result<Cidr> subnet(unsigned prefix_length, std::uint64_t index) const;
  /// How many networks of that length fit, at most 2^63; 0 if prefix_length is shorter than ours.
  std::uint64_t subnet_count(unsigned prefix_length) const noexcept;
  std::string str() const;

  friend constexpr auto operator<=>(const Cidr &, const Cidr &) = default;
  friend constexpr bool operator==(const Cidr &, const Cidr &) = default;

private:
  IpAddress address_;
  unsigned prefix_length_ = 0;
};

/// An address as an interface holds it: host bits kept, "10.0.0.5/24".
struct InterfaceAddress {
  IpAddress ip;
  unsigned prefix_length = 0;

  static Result<InterfaceAddress> parse(std::string_view text);
  Cidr network() const noexcept { return {ip, prefix_length}; }
  std::string str() const;
  friend auto operator<=>(const InterfaceAddress &, const InterfaceAddress &) = default;
};

/// Comma-separated networks, as in --cluster-cidr; blanks around them are allowed, an empty text is
/// an empty list.
Result<std::vector<Cidr>> parse_cidr_list(std::string_view text);

} // namespace sluice

template <> struct std::hash<sluice::IpAddress> {
  std::size_t operator()(const sluice::IpAddress &ip) const noexcept;
};
