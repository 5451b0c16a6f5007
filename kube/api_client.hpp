#pragma once
// A client of one Kubernetes API server: requests, watches, credentials. Thread-safe.

#include "kube/kubeconfig.hpp"
#include "kube/objects.hpp"
#include "net/stop_signal.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
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
/// 415/501 unsupported, 429/5xx unavailable), the text is Status.message or the status line.
Error error_of(const HttpResponse &response);

/// REST coordinates of a kind: "/api/v1" + "pods". `rest_of<Pod>()` and so on.
struct RestKind {
  std::string_view kind, groupVersion, prefix, plural; ///< "Pod", "v1", "/api/v1", "pods"
  bool namespaced;
};
template <class Object> const RestKind &rest_of() noexcept;
template <> const RestKind &rest_of<Namespace>() noexcept;
template <> const RestKind &rest_of<Node>() noexcept;
template <> const RestKind &rest_of<Pod>() noexcept;
template <> const RestKind &rest_of<Service>() noexcept;
template <> const RestKind &rest_of<ServiceAccount>() noexcept;
template <> const RestKind &rest_of<ConfigMap>() noexcept;
template <> const RestKind &rest_of<Event>() noexcept;
template <> const RestKind &rest_of<EndpointSlice>() noexcept;
template <> const RestKind &rest_of<Lease>() noexcept;
template <> const RestKind &rest_of<NetworkPolicy>() noexcept;
/// All of the above.
std::span<const RestKind> all_rest_kinds() noexcept;

/// "/api/v1/namespaces/default/pods/web-1"; an empty name gives the collection, an empty namespace
/// the collection of all namespaces.
std::string path_of(const RestKind &kind, const ObjectKey &key);
/// For a value in a query string or a path segment (RFC 3986 unreserved characters stay).
std::string percent_encode(std::string_view text);

class ApiClient {
public:
  /// Reads certificate and token files as named by `config`; both are read again when they change.
  /// invalid_input for a token that would go over plain HTTP to another machine.
  static Result<std::unique_ptr<ApiClient>> create(ClientConfig config);
  ~ApiClient();

  /// One request over a kept connection. An error only if no answer came; any status is an answer.
  /// A kept connection that the server has closed meanwhile is replaced without a word.
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
  /// the server ends it, `on_data` returns false, `stop` is set, or nothing
  /// has come for `silence` (an error: timeout). `on_status` is called first; false ends it. The
  /// end of the answer, `stop` and a false of either callback are no errors.
  struct Stream {
    std::string path, accept = "application/json";
    std::chrono::milliseconds silence{180000}; ///< a callback may change it
    std::function<bool(const HttpResponse &head)> on_status;
    std::function<bool(std::string_view bytes)> on_data;
    const StopSignal *stop = nullptr;
  };
  Result<> stream(const Stream &stream);

  const ClientConfig &config() const noexcept;

private:
  struct Impl;
  explicit ApiClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube
