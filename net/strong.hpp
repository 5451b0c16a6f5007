#pragma once

#include <compare>

namespace sluice {

/// A number that cannot be mixed up with another kind of number.
template <class Tag, class Rep> struct Strong {
  Rep value{};
  constexpr Strong() noexcept = default;
  constexpr explicit Strong(Rep v) noexcept : value(v) {}
  friend constexpr auto operator<=>(const Strong &, const Strong &) = default;
};

} // namespace sluice
