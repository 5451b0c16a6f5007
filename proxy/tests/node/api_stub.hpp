#pragma once
// As much of an API server as a proxy needs: list and watch of a few kinds over HTTP, inside a
// namespace. Refuses WatchList, so that clients list and watch.

#include "kernel/netns.hpp"
#include "kube/http/server.hpp"

#include <mutex>
#include <nlohmann/json_fwd.hpp>

namespace sluice::proxy::test {

/// Thread-safe: `mutex_` guards everything but `server_`.
class ApiStub {
public:
  /// Listens on 127.0.0.1 in the namespace, which outlives it.
  static Result<std::unique_ptr<ApiStub>> start(const kernel::NetNs &where);
  ~ApiStub();
  /// "http://127.0.0.1:1234"
  std::string url() const;

  /// `plural`: "services". The object carries metadata.namespace and metadata.name.
  void put(const std::string &plural, nlohmann::json object);
  void remove(const std::string &plural, const std::string &namespace_, const std::string &name);

  /// What was created by others, oldest first.
  std::vector<nlohmann::json> created(const std::string &plural);
  /// Answers so for this kind: 404 as an API server that does not know it.
  void refuse(const std::string &plural, int status);

  /// Goes away: nobody listens, streams are cut. The objects stay.
  void go_away();
  /// Is back at the same port.
  Result<> come_back();

private:
  struct Event {
    std::string plural, line;
    std::uint64_t version;
  };
  struct Watcher {
    std::string plural;
    std::shared_ptr<kube::http::Stream> stream;
  };
  explicit ApiStub(const kernel::NetNs &where) : where_(where) {}
  void answer(const std::shared_ptr<kube::http::Exchange> &exchange);
  void list(const std::string &plural, kube::http::Exchange &exchange);
  void watch(const std::string &plural, std::uint64_t since, kube::http::Exchange &exchange);
  void publish(const std::string &plural, const char *type, const std::string &object);

  const kernel::NetNs &where_;
  Port port_;
  std::mutex mutex_;
  std::uint64_t version_ = 1;
  std::map<std::pair<std::string, std::string>, std::string> objects_; ///< (plural, key) -> JSON
  std::vector<Event> events_;
  std::vector<Watcher> watchers_;
  std::vector<std::pair<std::string, std::string>> created_; ///< (plural, JSON)
  std::map<std::string, int> refused_;
  std::unique_ptr<kube::http::Server> server_;
};

} // namespace sluice::proxy::test
