#pragma once
// Hashes for names and tables. Not for secrets.

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// FNV-1a, 64 bits (draft-eastlake-fnv). Stable for ever: names of kernel objects are made from it.
constexpr std::uint64_t fnv1a_64(std::string_view bytes,
                                 std::uint64_t seed = 0xcbf29ce484222325ULL) noexcept {
  for (const char byte : bytes)
    seed = (seed ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ULL;
  return seed;
}

/// The low `digits` * 4 bits as lower-case hexadecimal; digits 1..16.
inline std::string hex(std::uint64_t value, unsigned digits = 16) {
  std::string text(digits, '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, value >>= 4)
    *at = "0123456789abcdef"[value & 15];
  return text;
}

} // namespace sluice
