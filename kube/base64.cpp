#include "kube/base64.hpp"

#include <cstdint>

namespace sluice::kube {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = (group << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[(group >> (18 - 6 * k)) & 63] : '=';
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  std::string bytes;
  std::uint32_t group = 0;
  std::size_t digits = 0, padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
      continue;
    const std::size_t value = kDigits.find(c);
    if (c == '=')
      ++padding;
    else if (value == std::string_view::npos || padding > 0)
      return std::nullopt;
    group = (group << 6) | (c == '=' ? 0U : static_cast<std::uint32_t>(value));
    if (++digits % 4 != 0)
      continue;
    for (std::size_t k = 0; k < 3 - std::min<std::size_t>(padding, 3); ++k)
      bytes += static_cast<char>((group >> (16 - 8 * k)) & 255);
    group = 0;
  }
  if (digits % 4 != 0 || padding > 2)
    return std::nullopt;
  return bytes;
}

} // namespace sluice::kube
