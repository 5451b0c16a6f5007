#pragma once
// One SCTP packet by hand: the kernel of a test machine may have no SCTP sockets, but conntrack and
// nf_tables know the protocol. RFC 9260.

#include "net/port.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace sluice::proxy::nftables::tests {

/// CRC32c (RFC 9260 appendix A), bit by bit.
inline std::uint32_t crc32c(const std::uint8_t *bytes, std::size_t length) {
  std::uint32_t crc = ~0U;
  for (std::size_t i = 0; i < length; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
  }
  return ~crc;
}

/// The INIT chunk that opens an association.
inline std::string sctp_init(Port from, Port to) {
  std::array<std::uint8_t, 32> p{};
  p[0] = static_cast<std::uint8_t>(from.value >> 8);
  p[1] = static_cast<std::uint8_t>(from.value & 0xff);
  p[2] = static_cast<std::uint8_t>(to.value >> 8);
  p[3] = static_cast<std::uint8_t>(to.value & 0xff);
  p[12] = 1;    // INIT
  p[15] = 20;   // its length
  p[19] = 7;    // initiate tag
  p[22] = 0xff; // receiver window
  p[25] = 1;    // outbound streams
  p[27] = 1;    // inbound streams
  p[31] = 9;    // first TSN
  const auto crc = crc32c(p.data(), p.size());
  for (int i = 0; i < 4; ++i)
    p[8 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(crc >> (8 * i));
  return {reinterpret_cast<const char *>(p.data()), p.size()};
}

} // namespace sluice::proxy::nftables::tests
