#pragma once
// What IPVS needs around it in a network namespace: packets with the divert bit come to the local
// stack, and connections are tracked.

#include "net/port.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace sluice::proxy::ipvs {

/// The endpoints that connections of IPVS lead to.
using OpenConnections = std::set<std::pair<Protocol, SocketAddress>>;

class Environment {
public:
  virtual ~Environment() = default;
  /// Makes what is missing.
  virtual Result<> prepare() = 0;
  /// What is not as `prepare` makes it, in people's words.
  virtual Result<std::vector<std::string>> differences() = 0;
  /// Endpoints of connections that are not over: a TCP connection in TIME_WAIT or CLOSE is.
  virtual Result<OpenConnections> open_connections() = 0;
  /// Forgets the tracked connections that are ours, so that a packet of one begins anew. The
  /// parameters of IPVS stay: foreign virtual services may count on them.
  virtual Result<> remove() = 0;
};

struct EnvironmentOptions {
  std::uint32_t divertBit; ///< of the packet mark
  std::uint32_t ownCtBit;  ///< of the connection mark
  /// net.ipv4.conf.all: arp_ignore 1, arp_announce 2.
  bool strictArp = false;
};

/// A rule of policy routing for the bit, a table with a local route for everything, and the
/// parameters net.ipv4.vs.{conntrack,expire_nodest_conn,conn_reuse_mode}. Of the calling thread's
/// namespace.
std::unique_ptr<Environment> make_environment(Family family, const EnvironmentOptions &options);

/// The lines of /proc/net/ip_vs_conn. Pure; a line that it cannot read is none.
OpenConnections open_connections_in(std::string_view text, Family family);

} // namespace sluice::proxy::ipvs
