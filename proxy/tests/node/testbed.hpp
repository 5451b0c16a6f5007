#pragma once
// A node and its pods as network namespaces, routed, with IPv4 and IPv6:
//
//   pod 1 (10.244.1.2, 2001:db8:244:1::2) --- pod1 [node] pod2 --- pod 2 (10.244.2.2, ...:2::2) ...
//
// and small servers and clients that run inside them on threads of the test.

#include "kernel/netns.hpp"
#include "net/port.hpp"

#include <atomic>
#include <thread>

namespace sluice::proxy::test {

/// Answers every connection and every datagram on one port with its name and the client's address:
/// "pod2 10.244.1.2". Both families, TCP and UDP. A TCP connection is answered again for each line
/// that comes.
class NamedServer {
public:
  static Result<std::unique_ptr<NamedServer>> start(const kernel::NetNs &where, std::string name,
                                                    Port port);
  ~NamedServer();

private:
  NamedServer(std::string name, UniqueFd tcp, UniqueFd udp, UniqueFd stop);
  void run();
  void answer_udp();

  std::string name_;
  UniqueFd tcp_, udp_, stop_;
  std::thread thread_;
};

/// A socket in a namespace, connected. `timeout` is for connecting and for each answer.
class TestClient {
public:
  static Result<TestClient> connect(const kernel::NetNs &where, SocketAddress to, Protocol protocol,
                                    std::chrono::milliseconds timeout);
  /// Sends a line and returns what comes back: "pod2 10.244.1.2". Error::sys() tells ECONNREFUSED
  /// from ETIMEDOUT.
  Result<std::string> ask();

private:
  TestClient(UniqueFd fd, std::chrono::milliseconds timeout)
      : fd_(std::move(fd)), timeout_(timeout) {}
  UniqueFd fd_;
  std::chrono::milliseconds timeout_;
};

struct Pod {
  kernel::NetNs netns;
  IpAddress v4, v6;
  std::unique_ptr<NamedServer> server;
};

class Testbed {
public:
  /// `pods` namespaces around a node; each pod serves on port 8080 as "pod<n>", n from 1.
  static Result<std::unique_ptr<Testbed>> create(unsigned pods);

  const kernel::NetNs &node() const noexcept { return node_; }
  /// From 1.
  const Pod &pod(unsigned number) const { return pods_.at(number - 1); }
  /// Asks from a namespace; the answer, or "refused", "timeout" or the error.
  std::string ask(const kernel::NetNs &from, SocketAddress to, Protocol protocol) const;

private:
  explicit Testbed(kernel::NetNs node) : node_(std::move(node)) {}
  Result<> add_pod(unsigned number);
  kernel::NetNs node_;
  std::vector<Pod> pods_;
};

/// Runs ip(8), nft(8) and the like inside a namespace; the standard output.
Result<std::string> run_inside(const kernel::NetNs &where, std::vector<std::string> argv,
                               const std::string &input = "");

} // namespace sluice::proxy::test
