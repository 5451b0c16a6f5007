#include "net/mac_address.hpp"

#include "net/hash.hpp"

#include <charconv>

namespace sluice {

Result<MacAddress> MacAddress::parse(std::string_view text) {
  std::array<std::uint8_t, 6> bytes{};
  const auto bad = [&] {
    return fail(Errc::invalid_input, "\"" + std::string(text) + "\" is not a MAC address");
  };
  if (text.size() != 17)
    return bad();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char *at = text.data() + i * 3;
    const auto parsed = std::from_chars(at, at + 2, bytes[i], 16);
    if (parsed.ec != std::errc{} || parsed.ptr != at + 2 || (i < 5 && *parsed.ptr != ':'))
      return bad();
  }
  return MacAddress(bytes);
}

MacAddress MacAddress::from_seed(std::uint64_t seed) noexcept {
  std::array<std::uint8_t, 6> bytes{};
  for (auto &byte : bytes) {
    byte = static_cast<std::uint8_t>(seed);
    seed >>= 8;
  }
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xfc) | 0x02);
  return MacAddress(bytes);
}

std::string MacAddress::str() const {
  std::string text;
  for (const auto byte : bytes_) {
    if (!text.empty())
      text += ':';
    text += hex(byte, 2);
  }
  return text;
}

} // namespace sluice
