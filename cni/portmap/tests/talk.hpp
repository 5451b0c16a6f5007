#pragma once
// Real packets between namespaces: sockets that are opened in one and used from anywhere.

#include "kernel/netns.hpp"
#include "net/port.hpp"

#include <string>

namespace sluice::cni {

/// A socket in `ns`. TCP listens, UDP is bound. Waits at most one second for anything.
UniqueFd serve(const kernel::NetNs &ns, Protocol protocol, const SocketAddress &at);

/// A client that says "hello" from `ns` to `to`, and what `server` saw: the address that the client
/// had for it, or "nothing".
std::string seen_by(const UniqueFd &server, const kernel::NetNs &ns, Protocol protocol,
                    const SocketAddress &to);

/// One UDP client that keeps its socket.
class UdpClient {
public:
  UdpClient(const kernel::NetNs &ns, const SocketAddress &to);
  void say(const std::string &text) const;

private:
  UniqueFd fd_;
};
/// The next datagram, or "nothing".
std::string heard_by(const UniqueFd &server);

/// An SCTP INIT from `from` to `to`, by raw sockets (this kernel may know SCTP only in conntrack):
/// "<source address> to port <n>" as it arrived in `at`, or "nothing".
std::string sctp_init_seen_in(const kernel::NetNs &at, const kernel::NetNs &from,
                              const SocketAddress &to);

} // namespace sluice::cni
