#pragma once
// One HTTP/1.1 connection to a server, used by one thread at a time; every wait has a deadline and
// looks at a stop flag.

#include "kube/http/parser.hpp"
#include "kube/http/transport.hpp"
#include "net/stop_signal.hpp"

#include <chrono>

namespace sluice::kube::http {

using Deadline = std::chrono::steady_clock::time_point;

/// Where a server is, from a URL "https://host:port/prefix".
struct ServerUrl {
  bool tls = true;
  std::string host; ///< a name or an address, without brackets
  std::uint16_t port = 443;
  std::string prefix; ///< before every path; no slash at its end, mostly empty
  bool is_loopback() const;
  /// "host:port" as in the Host header.
  std::string authority() const;
};
Result<ServerUrl> parse_server_url(const std::string &url);

/// What ends a wait early: it fails at once with Errc::busy ("stopped").
using StopFlag = const StopSignal *;

struct ClientRequest {
  std::string_view method, target; ///< target with query, encoded
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string_view body;
};

class ClientConnection {
public:
  /// Tries every address of the host; TCP and TLS have 10 s each, and `deadline` in all.
  /// `tls_name` is the name in the server's certificate.
  static Result<std::unique_ptr<ClientConnection>>
  open(const ServerUrl &url, const std::shared_ptr<const TlsContext> &tls,
       const std::string &tls_name, Deadline deadline, StopFlag stop = nullptr);

  /// Takes the head, then the body as it comes. Either may end the exchange by returning false.
  struct Sinks {
    std::function<bool(const ResponseParser::Head &)> head;
    std::function<bool(std::string_view)> body;
  };
  /// Waits at most `silence` (looked at before each wait) for each piece, and until `deadline` in
  /// all. `answered()` tells after
  /// an error whether a byte of the answer had come.
  Result<> exchange(const ClientRequest &request, const Sinks &sinks, Deadline deadline,
                    const std::chrono::milliseconds &silence, StopFlag stop = nullptr);
  bool answered() const noexcept { return answered_; }
  /// The last exchange ended in order and the server keeps the connection.
  bool reusable() const noexcept { return reusable_; }
  /// False if the server has closed it, or said something unasked, since the last exchange.
  bool still_open() const noexcept;

private:
  explicit ClientConnection(Transport transport) : transport_(std::move(transport)) {}
  Result<> wait(Io::What what, Deadline deadline, StopFlag stop) const;
  Result<> shake_hands(Deadline deadline, StopFlag stop);
  Result<> send(const ClientRequest &request, const ServerUrl &url, Deadline deadline,
                StopFlag stop);
  Result<> receive(const ClientRequest &request, const Sinks &sinks, Deadline deadline,
                   const std::chrono::milliseconds &silence, StopFlag stop);

  Transport transport_;
  ServerUrl url_;
  bool answered_ = false, reusable_ = false;
};

} // namespace sluice::kube::http
