#pragma once
// TCP sockets as the server and the client want them: non-blocking, close-on-exec.

#include "net/port.hpp"
#include "net/result.hpp"
#include "net/unique_fd.hpp"

namespace sluice::kube::http {

/// Listening; an IPv6 address takes IPv6 only, so that "0.0.0.0" and "::" can stand side by side.
Result<UniqueFd> listen_on(const SocketAddress &address);
/// Makes somebody else's listening socket non-blocking; an error if it does not listen.
Result<> adopt_listener(const UniqueFd &socket);
/// Where a socket is bound. An IPv4-mapped address is given as IPv4.
Result<SocketAddress> local_address(const UniqueFd &socket);

struct Accepted {
  UniqueFd socket;
  SocketAddress peer;
};
/// The next connection, without waiting; busy if there is none. TCP_NODELAY and keepalive are on.
Result<Accepted> accept_from(int listener);

/// Begins to connect; the socket becomes writable when that is over, see `connect_result`.
Result<UniqueFd> begin_connect(const SocketAddress &address);
Result<> connect_result(const UniqueFd &socket);
/// TCP_NODELAY; keepalive after 30 s; unacknowledged data breaks the connection after 30 s
/// (TCP_USER_TIMEOUT, tcp(7)), so that a peer that vanished is noticed.
void keep_watch(const UniqueFd &socket) noexcept;

} // namespace sluice::kube::http
