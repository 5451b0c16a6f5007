#pragma once
// The test server: HTTP, TCP and UDP on IPv4 and IPv6, one thread, one epoll. Every answer says
// which pod gave it and which client address it saw, so that a test can tell what a Service chose
// and whether a packet was masqueraded.
//
//   HTTP  GET /          the line of `describe`          GET /hostname, /clientip   one word
//         GET /healthz   200                             GET /readyz                200, or 503
//         after /unready       turns /readyz to 503            /ready                     turns it
//         back /exit?N        answers, then ends with code N
//   TCP   each line is answered by "<describe> echo=<line>"
//   UDP   each datagram is answered by "<describe> echo=<datagram>"

#include "net/port.hpp"
#include "net/result.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace sluice::netexec {

struct ServerOptions {
  /// Port 0 takes any free one (see `Server::ports`); no value: that protocol is not served.
  std::optional<Port> http, tcp, udp;
  std::string pod; ///< what it calls itself
  /// After SIGTERM it goes on answering for so long (readiness turns to 503 at once).
  std::chrono::milliseconds drain{0};
};

class Server {
public:
  struct Ports {
    Port http, tcp, udp;
  };

  /// Listens on [::] with IPv4 included (on 0.0.0.0 where the kernel has no IPv6). Blocks SIGTERM
  /// and SIGINT for the calling thread: `run` takes them.
  static Result<Server> start(ServerOptions options);
  Server(Server &&) noexcept;
  ~Server();

  Ports ports() const noexcept;
  /// Serves until SIGTERM or SIGINT (plus `drain`), or a request to /exit; the exit code.
  Result<int> run();

private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::netexec
