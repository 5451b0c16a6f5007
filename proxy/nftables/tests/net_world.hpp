#pragma once
// A node with pods and a client outside, each a network namespace, and sockets in them.
//
//   client .2 ---+
//   first  .3 ---+-- node .1 (routes, one veth for each) ---- outside 192.0.2.10
//   second .4 ---+

#include "kernel/netns.hpp"
#include "net/port.hpp"

#include <netinet/in.h>

namespace sluice::proxy::nftables::tests {

struct Host {
  explicit Host(kernel::NetNs of) : ns(std::move(of)) {}
  kernel::NetNs ns;
  IpAddress v4, v6;
  const IpAddress &address(Family family) const { return family == Family::ipv4 ? v4 : v6; }
};

class NetWorld {
public:
  /// Aborts the test program if the namespaces cannot be made: needs root.
  NetWorld();
  Host node, client, first, second, outside;

private:
  void attach(Host &host, const std::string &link, const std::string &v4, const std::string &v6,
              const std::string &node_v4, const std::string &node_v6);
};

/// Runs a command line inside the namespace; its output, which must be that of a success.
std::string run(const kernel::NetNs &ns, const std::string &command);

/// A socket inside a namespace. Every wait has a deadline of 5 s unless given.
class Socket {
public:
  Socket() = default;
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  Socket(const Host &host, Family family, Protocol protocol);
  static Socket listening(const Host &host, Family family, Protocol protocol, Port port);

  /// The source that `connect` or `send_to` uses: an address of the host, any port unless given.
  void bind(const IpAddress &source, Port port = Port(0));
  /// 0, or the errno; ETIMEDOUT when the deadline passed.
  int connect(const SocketAddress &to, int deadline_ms = 5000);
  Socket accept();
  bool readable(int deadline_ms = 5000) const;
  void send(const std::string &text);
  /// What came, or the errno as "errno 111".
  std::string receive();
  void send_to(const std::string &text, const SocketAddress &to);
  /// What came and from whom.
  std::pair<std::string, SocketAddress> receive_from();
  SocketAddress peer() const;
  SocketAddress local() const;
  int fd() const { return fd_.get(); }

private:
  UniqueFd fd_;
};

/// The first of them that is readable within 5 s; nullptr if none.
Socket *first_readable(std::vector<Socket *> sockets);

} // namespace sluice::proxy::nftables::tests
