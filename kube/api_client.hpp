#pragma once
// A client of one Kubernetes API server: requests, watches, credentials. Thread-safe.

#include "kube/kubeconfig.hpp"
#include "kube/objects.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sluice::kube {

struct HttpRequest {
  std::string method = "GET";
  std::string path; ///< with its query, encoded: "/api/v1/pods?limit=500"
  std::string body, contentType;
  std::string accept = "application/json";
  std::chrono::milliseconds timeout{30000};
};
struct HttpResponse {
  int status = 0;
  std::string contentType, retryAfter, body;
};

/// The Error for an answer that is no 2xx: the code follows the status (404 not_found, 409 conflict
/// or already_exists by Status.reason, 410 expired, 401/403 no_permission, 422/400 invalid_input,
/// 429/5xx unavailable), the text is Status.message or the status line.
Error error_of(const HttpResponse &response);

/// REST coordinates of a kind: "/api/v1" + "pods". `rest_of<Pod>()` and so on.
struct RestKind {
  std::string_view kind, groupVersion, prefix, plural; ///< "Pod", "v1", "/api/v1", "pods"
  bool namespaced;
};
template <class Object> const RestKind &rest_of() noexcept;
/// "/api/v1/namespaces/default/pods/web-1"; an empty name gives the collection.
std::string path_of(const RestKind &kind, const ObjectKey &key);

class ApiClient {
public:
  /// Reads certificate and token files as named by `config`; both are read again when they change.
  static Result<std::unique_ptr<ApiClient>> create(ClientConfig config);
  ~ApiClient();

  /// One request over a kept connection. An error only if no answer came; any status is an answer.
  Result<HttpResponse> send(const HttpRequest &request);
  /// `send`, and an Error for any status that is not 2xx; parsed body.
  Result<nlohmann::json> call(const HttpRequest &request);

  // Typed conveniences over `send`; all answer as described at `error_of`.
  template <class Object> Result<Object> get(const ObjectKey &key);
  Result<nlohmann::json> get(const RestKind &kind, const ObjectKey &key);
  Result<nlohmann::json> create_object(const RestKind &kind, const std::string &namespace_,
                                       const nlohmann::json &object);
  Result<nlohmann::json> replace(const RestKind &kind, const ObjectKey &key,
                                 const nlohmann::json &object, std::string_view subresource = "");
  /// application/merge-patch+json (RFC 7386)
  Result<nlohmann::json> merge_patch(const RestKind &kind, const ObjectKey &key,
                                     const nlohmann::json &patch,
                                     std::string_view subresource = "");
  Result<> remove(const RestKind &kind, const ObjectKey &key,
                  std::optional<std::int64_t> gracePeriodSeconds = std::nullopt);

  /// A GET whose body is read as it comes, on a connection of its own, on the calling thread, until
  /// the server ends it, `on_data` returns false, `stop` is set (seen within 100 ms), or nothing
  /// has come for `silence`. `on_status` is called first.
  struct Stream {
    std::string path, accept = "application/json";
    std::chrono::milliseconds silence{180000};
    std::function<bool(const HttpResponse &head)> on_status;
    std::function<bool(std::string_view bytes)> on_data;
    const std::atomic<bool> *stop = nullptr;
  };
  Result<> stream(const Stream &stream);

  const ClientConfig &config() const noexcept;

private:
  struct Impl;
  explicit ApiClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube
