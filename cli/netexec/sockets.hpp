#pragma once

#include "net/port.hpp"
#include "net/unique_fd.hpp"

#include <sys/socket.h>

namespace sluice::netexec {

/// A kernel socket address from and to ours; an IPv4-mapped IPv6 address is the IPv4 address.
SocketAddress to_address(const sockaddr_storage &raw);
/// The length of what was written to `raw`.
socklen_t to_sockaddr(const SocketAddress &address, sockaddr_storage &raw);

/// Bound to [::] for both families (0.0.0.0 where there is no IPv6), non-blocking. `type` is
/// SOCK_STREAM (then it listens) or SOCK_DGRAM (then it reports the address a packet came to).
Result<UniqueFd> listen_on(Port port, int type);

/// The local and the remote end of a socket.
SocketAddress local_of(int fd);

} // namespace sluice::netexec
