#pragma once
// Connections from one network namespace to another: how many a second.

#include "kernel/netns.hpp"
#include "net/port.hpp"

#include <atomic>
#include <thread>

namespace sluice::bench {

/// Listens on ports of a namespace; answers each connection's request of 64 bytes with 128 and
/// leaves the closing to the client.
class Server {
public:
  Server(const kernel::NetNs &ns, Port first, std::uint16_t ports);
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

private:
  void run();
  std::vector<UniqueFd> listeners_;
  UniqueFd stop_, epoll_;
  std::thread thread_;
};

struct Rate {
  double per_second = 0;
  double cpu_us = 0; ///< of this process for each: both ends, and what the kernel does for them
};

/// Connections from `ns` to `to`: connect, 64 bytes, 128 bytes back, reset. Ends the program if one
/// fails.
Rate connection_rate(const kernel::NetNs &ns, const SocketAddress &to, unsigned in_flight,
                     std::chrono::milliseconds time);

} // namespace sluice::bench
