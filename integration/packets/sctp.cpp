#include "integration/packets/sctp.hpp"

namespace sluice::integration::packets {
namespace {

void put16(std::vector<std::uint8_t> &out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put32(std::vector<std::uint8_t> &out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
std::uint32_t get16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t get32(std::span<const std::uint8_t> bytes, std::size_t at) {
  return get16(bytes, at) << 16 | get16(bytes, at + 2);
}

/// RFC 9260 appendix A.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const auto byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

constexpr std::size_t kHeader = 12, kInit = 20;
constexpr std::uint32_t kCookieParameter = 7;

} // namespace

std::vector<std::uint8_t> encode(const SctpPacket &packet) {
  std::vector<std::uint8_t> out;
  put16(out, packet.source.value);
  put16(out, packet.destination.value);
  put32(out, packet.verification_tag);
  put32(out, 0); // checksum
  std::vector<std::uint8_t> parameter;
  if (!packet.cookie.empty()) {
    put16(parameter, kCookieParameter);
    put16(parameter, static_cast<std::uint32_t>(4 + packet.cookie.size()));
    parameter.insert(parameter.end(), packet.cookie.begin(), packet.cookie.end());
  }
  out.push_back(static_cast<std::uint8_t>(packet.chunk));
  out.push_back(0);
  put16(out, static_cast<std::uint32_t>(kInit + parameter.size()));
  put32(out, packet.initiate_tag);
  put32(out, 65536); // receiver window
  put16(out, 1);
  put16(out, 1);
  put32(out, 1); // initial TSN
  out.insert(out.end(), parameter.begin(), parameter.end());
  while (out.size() % 4 != 0)
    out.push_back(0);
  const auto crc = crc32c(out);
  for (std::size_t i = 0; i < 4; ++i) // least significant byte first
    out[8 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  return out;
}

std::optional<SctpPacket> decode_sctp(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kHeader + kInit || (bytes[kHeader] != 1 && bytes[kHeader] != 2))
    return std::nullopt;
  SctpPacket packet;
  packet.source = Port(static_cast<std::uint16_t>(get16(bytes, 0)));
  packet.destination = Port(static_cast<std::uint16_t>(get16(bytes, 2)));
  packet.verification_tag = get32(bytes, 4);
  packet.chunk = static_cast<SctpChunk>(bytes[kHeader]);
  packet.initiate_tag = get32(bytes, kHeader + 4);
  const auto parameter = kHeader + kInit;
  if (bytes.size() >= parameter + 4 && get16(bytes, parameter) == kCookieParameter) {
    const auto length =
        std::min<std::size_t>(get16(bytes, parameter + 2), bytes.size() - parameter);
    packet.cookie.assign(
        bytes.begin() + static_cast<std::ptrdiff_t>(parameter + 4),
        bytes.begin() + static_cast<std::ptrdiff_t>(parameter + std::max<std::size_t>(length, 4)));
  }
  return packet;
}

} // namespace sluice::integration::packets
