#pragma once
// A small HTTP/1.1 server with TLS and streaming answers (Boost.Beast behind it). Serves the
// control plane, the fake API of the tests, metrics and health ports.

#include "net/port.hpp"
#include "net/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::kube::http {

struct Request {
  std::string method;                            ///< "GET"
  std::string path;                              ///< decoded, without the query: "/api/v1/pods"
  std::multimap<std::string, std::string> query; ///< decoded
  std::map<std::string, std::string, std::less<>> headers; ///< names in lower case
  std::string body;
  SocketAddress peer;
  bool tls = false;
  std::string clientCommonName; ///< subject of a verified client certificate; else empty
  std::vector<std::string> clientOrganizations;

  /// The first value of a query parameter, or "".
  const std::string &parameter(const std::string &name) const;
  /// A header by its lower-case name, or "".
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string contentType = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const std::string> body; ///< shared: the same bytes serve many clients
};

/// The sending side of one chunked answer. Thread-safe. Bytes go out in order.
class Stream {
public:
  virtual ~Stream() = default;
  /// False once the client is gone or the stream is closed: stop writing then.
  virtual bool write(std::shared_ptr<const std::string> chunk) = 0;
  /// Bytes accepted but not yet sent: cut a client that does not read.
  virtual std::size_t pending_bytes() const = 0;
  /// Ends the body properly. Later writes return false.
  virtual void close() = 0;
  /// Cuts the connection; what is not sent yet is dropped. For a client that does not read.
  virtual void abort() = 0;
};

/// One exchange; exactly one of `reply` and `begin_stream` is called, from any thread, now or
/// later. Dropping the last reference without an answer sends 500.
class Exchange {
public:
  virtual ~Exchange() = default;
  virtual const Request &request() const noexcept = 0;
  virtual void reply(Response response) = 0;
  /// Sends the head; `response.body`, if any, is the first chunk.
  virtual std::shared_ptr<Stream> begin_stream(Response response) = 0;
};

struct TlsFiles {
  std::string certificateFile, keyFile; ///< PEM; the file may hold a chain
  std::string clientCaFile; ///< set: client certificates are asked for and verified, not required
};

/// Past its deadline a connection is closed; the deadlines are looked at once a second, or more
/// often if one is shorter.
struct ServerTimeouts {
  std::chrono::milliseconds handshake{10000}; ///< TLS
  std::chrono::milliseconds request{30000};   ///< from the first byte of a request to its last
  std::chrono::milliseconds idle{120000};     ///< between two requests
  std::chrono::milliseconds stalled{60000};   ///< the client takes no byte of an answer
  std::chrono::milliseconds stop{2000};       ///< for unfinished answers when the server ends
};

struct ServerOptions {
  std::vector<SocketAddress> listen; ///< port 0: any; see `Server::addresses`
  std::vector<UniqueFd> sockets;     ///< listening sockets made by somebody else (LISTEN_FDS)
  std::optional<TlsFiles> tls;
  unsigned threads = 1;
  std::size_t bodyLimitBytes = 3U << 20;
  ServerTimeouts timeouts;
};

/// Listens from construction to destruction; the handler runs on its io threads and must not block
/// for long. The destructor refuses new connections, lets answers that have begun finish (at most
/// `timeouts.stop`), ends streams, and returns when no handler runs any more. An Exchange or a
/// Stream may outlive the server; its calls do nothing then.
///
/// Answers 400 to what is no HTTP, 413 and 431 to what is too large, 500 for an Exchange that was
/// dropped. Pipelined requests are answered one after the other; "Expect: 100-continue" is
/// honoured.
class Server {
public:
  using Handler = std::function<void(std::shared_ptr<Exchange>)>;
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler);
  ~Server();
  /// Where it listens, ports filled in; in the order of `listen`, then `sockets`.
  const std::vector<SocketAddress> &addresses() const noexcept;

private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube::http
