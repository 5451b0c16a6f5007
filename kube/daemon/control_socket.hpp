#pragma once
// The local door of a daemon: a Unix socket that takes one JSON object per line and answers each
// with one line.
//   {"verb": "status"}                ->  {"ok": true, "services": 12}
//   {"verb": "dump", "what": "moon"}  ->  {"ok": false, "error": {"code": "not_found",
//                                                                  "message": "no such table"}}

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sluice::kube::daemon {

/// Listens from `start` to destruction, on threads of its own: one that accepts and one for each
/// connection, so that a verb may take its time (a policy agent answers `pod-added` when the rules
/// are in). Thread-safe.
class ControlServer {
public:
  /// Gets the whole request, returns the fields of the answer (an object, or null for none); "ok"
  /// is added. Called from many threads at once.
  using Handler = std::function<Result<nlohmann::json>(const nlohmann::json &request)>;
  using Verbs = std::map<std::string, Handler, std::less<>>;

  /// Makes the folder of `path` if it is missing; the socket has mode 0600. A socket file that
  /// nobody listens on is replaced; already_exists if another daemon does.
  static Result<std::unique_ptr<ControlServer>> start(const std::string &path, Verbs verbs);
  /// Takes no more requests, waits for handlers that run and lets their answers out, for a second
  /// at least; removes the socket file.
  ~ControlServer();

private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One request over a fresh connection. The answer's fields, or the error that the daemon answered;
/// unavailable if nobody listens, timeout if no answer came in time.
Result<nlohmann::json> control_call(const std::string &path, const nlohmann::json &request,
                                    std::chrono::milliseconds timeout = std::chrono::seconds(5));

/// What the server does with one line. Pure but for the handler. Never fails: bad input gets an
/// error answer.
std::string answer_line(const ControlServer::Verbs &verbs, std::string_view line);

} // namespace sluice::kube::daemon
