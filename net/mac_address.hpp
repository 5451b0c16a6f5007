#pragma once

#include "net/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// An Ethernet address.
class MacAddress {
public:
  /// 00:00:00:00:00:00
  constexpr MacAddress() noexcept = default;
  constexpr explicit MacAddress(std::array<std::uint8_t, 6> bytes) noexcept : bytes_(bytes) {}
  /// Six pairs of hexadecimal digits between colons, any case.
  static Result<MacAddress> parse(std::string_view text);
  /// A locally administered unicast address made from `seed`: the same seed, the same address.
  static MacAddress from_seed(std::uint64_t seed) noexcept;

  const std::array<std::uint8_t, 6> &bytes() const noexcept { return bytes_; }
  /// Lower case, colons.
  std::string str() const;
  friend constexpr auto operator<=>(const MacAddress &, const MacAddress &) = default;

private:
  std::array<std::uint8_t, 6> bytes_{};
};

} // namespace sluice
