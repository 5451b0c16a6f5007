#pragma once
// What the test server says, as pure functions: who answered whom, over which protocol.

#include "net/port.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::netexec {

/// One exchange as the server sees it.
struct Exchange {
  std::string_view pod;      ///< POD_NAME, else the host name
  std::string_view protocol; ///< "http", "tcp", "udp"
  SocketAddress client, server;
};

/// "web-1 protocol=http client=10.244.1.5:40312 server=10.244.2.3:8080", without a newline: the
/// first word is the pod.
std::string describe(const Exchange &exchange);

/// The pod in a line that `describe` wrote; "" if it is no such line.
std::string_view pod_in(std::string_view line);

struct HttpRequest {
  std::string method, path, query;
  bool keep_alive = true;
  std::size_t total_bytes = 0; ///< head and body
};

/// The first request in `buffer`; nothing if it is not complete yet; invalid_input if it can never
/// become one (no HTTP/1.x request line, a head above 16 KiB, a body above 1 MiB, chunked bodies).
Result<std::optional<HttpRequest>> parse_http(std::string_view buffer);

/// A whole HTTP/1.1 answer with a text body.
std::string http_answer(int status, std::string_view body, bool keep_alive);

} // namespace sluice::netexec
