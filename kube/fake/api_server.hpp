#pragma once
// A Kubernetes API in memory, for tests of everything that talks to one: the kinds of
// kube/objects.hpp with create, read, list, watch, WatchList, patch, delete and status, and every
// misbehaviour of a real server on demand. Listens on a loopback port. Thread-safe.

#include "kube/api_client.hpp"
#include "kube/http/server.hpp"

#include <nlohmann/json_fwd.hpp>

namespace sluice::kube::fake {

struct ApiServerOptions {
  std::optional<http::TlsFiles> tls;
  SocketAddress listen{IpAddress::from_v4(0x7f000001), Port(0)};
  std::vector<UniqueFd> sockets; ///< instead of `listen`, e.g. one made in a namespace
};

class ApiServer {
public:
  static Result<std::unique_ptr<ApiServer>> start(ApiServerOptions options = {});
  ~ApiServer();
  SocketAddress address() const;
  /// For `ApiClient::create`, without credentials.
  ClientConfig config() const;

  // What is in it. Each change goes to the watches at once.
  /// Creates or replaces; apiVersion, kind, uid and resourceVersion are filled in. The new
  /// resourceVersion.
  std::string put(const RestKind &kind, const nlohmann::json &object);
  /// `put(to_json(object))`.
  template <class Object> std::string put(const Object &object);
  bool erase(const RestKind &kind, const ObjectKey &key);
  std::optional<nlohmann::json> find(const RestKind &kind, const ObjectKey &key) const;
  std::string resource_version() const;

  // What it does to watches that are open now.
  void send_bookmarks();
  void end_watches();   ///< in order, as after timeoutSeconds
  void break_watches(); ///< in the middle
  void send_line(const RestKind &kind, const std::string &line); ///< any text, with its line end
  void send_error(int code, const std::string &reason);          ///< an ERROR event, then the end

  // What it does to requests from now on.
  void fail_next(unsigned requests, int status, const std::string &reason = "",
                 int retry_after_seconds = 0);
  /// Forgets the history: a watch from an older version gets 410, as an ERROR event or, if asked
  /// for, as the status of the answer.
  void compact();
  void gone_as_status(bool yes);
  void require_token(const std::string &token); ///< 401 for everybody else; "": nobody is asked
  enum class WatchList : std::uint8_t { served, refused, ignored };
  void watch_list(WatchList behaviour); ///< refused: 400
  /// Takes requests and answers none until false, when those that wait are answered.
  void stall(bool yes);

  // What it has seen.
  /// "GET /api/v1/pods?watch=true", oldest first.
  std::vector<std::string> requests() const;
  std::size_t open_watches(const RestKind &kind) const;
  /// False if there are not `count` watches of the kind within 5 s.
  bool wait_for_watches(const RestKind &kind, std::size_t count = 1) const;

private:
  struct Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube::fake
