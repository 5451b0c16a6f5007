#include "net/base64.hpp"

#include <cstdint>

namespace sluice {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char byte : bytes) {
    buffer = (buffer << 8) | static_cast<std::uint8_t>(byte);
    for (bits += 8; bits >= 6; bits -= 6)
      text += alphabet[(buffer >> (bits - 6)) & 63];
  }
  if (bits > 0)
    text += alphabet[(buffer << (6 - bits)) & 63];
  while (padded && text.size() % 4 != 0)
    text += '=';
  return text;
}

int value_of(char c) {
  if (c == '-' || c == '+')
    return 62;
  if (c == '_' || c == '/')
    return 63;
  const auto position = kStandard.find(c);
  return position == std::string_view::npos ? -1 : static_cast<int>(position);
}

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

} // namespace

std::string base64_encode(std::string_view bytes) { return encode(bytes, kStandard, true); }

std::string base64url_encode(std::string_view bytes) { return encode(bytes, kUrl, false); }

Result<std::string> base64_decode(std::string_view text) {
  std::string bytes;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  bool ended = false;
  for (const char c : text) {
    if (is_blank(c))
      continue;
    if (c == '=') {
      ended = true;
      continue;
    }
    const int value = value_of(c);
    if (value < 0 || ended)
      return fail(Errc::invalid_input,
                  "this is not base64: unexpected character '" + std::string(1, c) + "'");
    buffer = (buffer << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((buffer >> bits) & 255);
    }
  }
  if (bits == 6)
    return fail(Errc::invalid_input, "this is not base64: it ends in the middle of a byte");
  return bytes;
}

} // namespace sluice
