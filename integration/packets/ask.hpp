#pragma once
// One new connection, and what came of it.

#include "integration/packets/responder.hpp"

namespace sluice::integration::packets {

struct Ask {
  const Host *host = nullptr; ///< where the client is
  SocketAddress from;         ///< port 0: any
  SocketAddress to;
  Protocol protocol = Protocol::tcp; ///< 1 and 58: a ping
  Sctp sctp = Sctp::by_hand;
};

struct Answer {
  enum class Kind : std::uint8_t {
    answered,
    unreachable, ///< ICMP port unreachable
    closed,      ///< the other end has nobody at the port
    silent,
    broken, ///< anything else: `detail` says what
  };
  Kind kind = Kind::silent;
  Identity identity;    ///< answered
  SocketAddress client; ///< who asked
  UniqueFd connection;  ///< answered over TCP or an SCTP socket: still open
  std::string detail;
  std::chrono::milliseconds took{0};
  std::string str() const;
};

/// Waits so long at most. A datagram is sent once, but again where the kernel had no room for a
/// neighbour meanwhile. A refused SCTP socket does not tell a closed port from ICMP: `unreachable`.
Answer ask(const Ask &what, std::chrono::milliseconds patience);

/// Sends `text` and wants it back.
bool echoes(int connection, const std::string &text);

} // namespace sluice::integration::packets
