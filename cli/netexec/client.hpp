#pragma once
// The client side of the test server: many requests, each on a connection of its own, counted by
// the pod that answered. Meant for "no request may fail": every failure is kept with its time.

#include "net/port.hpp"
#include "net/result.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>

namespace sluice::netexec {

enum class CallKind : std::uint8_t { http, tcp, udp };

/// "http://10.96.0.10:80" and the same with tcp:// and udp://; port 80 may be left out for http.
struct Target {
  CallKind kind = CallKind::http;
  SocketAddress address;
  std::string path = "/";
  static Result<Target> parse(std::string_view url);
};

/// Sends `text` as it is and returns the whole answer (for tcp up to the end of a line).
Result<std::string> exchange(const Target &target, std::string_view text,
                             std::chrono::milliseconds timeout);
/// The pod that answered, or what went wrong ("connect to 10.96.0.10:80: Connection refused").
/// Opens a new socket; `timeout` is for the whole exchange.
Result<std::string> call(const Target &target, std::chrono::milliseconds timeout);

struct LoadOptions {
  Target target;
  std::size_t requests = 0;              ///< 0: until stopped
  std::chrono::milliseconds duration{0}; ///< 0: no limit
  std::chrono::milliseconds interval{0}; ///< from one start to the next
  std::chrono::milliseconds timeout{2000};
  std::function<bool()> stop; ///< asked before each request
  /// After each request: pod, or why not.
  std::function<void(const Result<std::string> &)> on_answer;
};
struct LoadReport {
  std::size_t sent = 0, failed = 0;
  std::map<std::string, std::size_t> answers;    ///< by pod
  std::map<std::string, std::size_t> complaints; ///< by message
  /// "100 requests, 0 failed" and a line with a share for each pod and each complaint.
  std::string str() const;
};
LoadReport run_load(const LoadOptions &options);

} // namespace sluice::netexec
