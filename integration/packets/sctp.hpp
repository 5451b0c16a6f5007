#pragma once
// Just enough SCTP for a handshake by hand: INIT and INIT ACK in raw packets, for kernels that
// track and translate SCTP but have no SCTP sockets. Source: RFC 9260 sections 3.1 to 3.3.3.

#include "net/port.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::integration::packets {

enum class SctpChunk : std::uint8_t { init = 1, init_ack = 2 };

struct SctpPacket {
  Port source, destination;
  std::uint32_t verification_tag = 0;
  SctpChunk chunk = SctpChunk::init;
  std::uint32_t initiate_tag = 0;
  std::string cookie; ///< of an INIT ACK: any text
};

/// With a CRC32c that conntrack accepts.
std::vector<std::uint8_t> encode(const SctpPacket &packet);
/// Nothing if it is none of the two chunks.
std::optional<SctpPacket> decode_sctp(std::span<const std::uint8_t> bytes);

} // namespace sluice::integration::packets
