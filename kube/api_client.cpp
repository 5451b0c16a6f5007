#include "kube/api_client.hpp"

#include "kube/codec.hpp"
#include "kube/credentials.hpp"
#include "kube/http/client.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Connection = std::unique_ptr<http::ClientConnection>;

constexpr std::size_t kMaxKept = 8;
constexpr std::chrono::seconds kKeptFor(90); // servers close idle connections after two minutes

bool is_repeatable(const std::string &method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

std::string to_text(const json &value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

struct ApiClient::Impl {
  ClientConfig config;
  http::ServerUrl url;
  std::unique_ptr<Credentials> credentials;

  struct Kept {
    Connection connection;
    std::shared_ptr<const http::TlsContext> tls;
    Clock::time_point since;
  };
  std::mutex mutex; // guards `kept`
  std::vector<Kept> kept;

  std::string tls_name() const {
    return config.tlsServerName.empty() ? url.host : config.tlsServerName;
  }
  Connection take(const Credentials::Snapshot &secrets);
  void give_back(Connection connection, const Credentials::Snapshot &secrets);
  Result<Connection> open(const Credentials::Snapshot &secrets, http::Deadline deadline,
                          http::StopFlag stop) const {
    return http::ClientConnection::open(url, secrets.tls, tls_name(), deadline, stop);
  }
  http::ClientRequest head_of(const std::string &accept, const std::string &token) const;
  void seen(std::string_view method, int status, Clock::time_point began) const {
    if (config.observe)
      config.observe({method, status, Clock::now() - began});
  }
  Result<HttpResponse> send(const HttpRequest &request);
  Result<HttpResponse> send_on(http::ClientConnection &connection, const HttpRequest &request,
                               const std::string &token, http::Deadline deadline) const;
};

// The newest connection that is still good; null if there is none. A connection that was made with
// certificates that have been replaced is not used again.
Connection ApiClient::Impl::take(const Credentials::Snapshot &secrets) {
  const std::lock_guard lock(mutex);
  while (!kept.empty()) {
    Kept last = std::move(kept.back());
    kept.pop_back();
    if (last.tls == secrets.tls && Clock::now() - last.since < kKeptFor &&
        last.connection->still_open())
      return std::move(last.connection);
  }
  return nullptr;
}

void ApiClient::Impl::give_back(Connection connection, const Credentials::Snapshot &secrets) {
  if (!connection->reusable())
    return;
  const std::lock_guard lock(mutex);
  if (kept.size() < kMaxKept)
    kept.push_back({std::move(connection), secrets.tls, Clock::now()});
}

http::ClientRequest ApiClient::Impl::head_of(const std::string &accept,
                                             const std::string &token) const {
  http::ClientRequest head;
  head.headers = {{"User-Agent", config.userAgent}, {"Accept", accept}};
  if (!token.empty())
    head.headers.emplace_back("Authorization", "Bearer " + token);
  return head;
}

Result<HttpResponse> ApiClient::Impl::send_on(http::ClientConnection &connection,
                                              const HttpRequest &request, const std::string &token,
                                              http::Deadline deadline) const {
  http::ClientRequest head = head_of(request.accept, token);
  head.method = request.method;
  head.target = request.path;
  head.body = request.body;
  if (!request.body.empty() || !request.contentType.empty())
    head.headers.emplace_back("Content-Type", request.contentType.empty() ? "application/json"
                                                                          : request.contentType);
  HttpResponse response;
  http::ClientConnection::Sinks sinks;
  sinks.head = [&](const http::ResponseParser::Head &answer) {
    response.status = answer.status;
    response.contentType = answer.contentType;
    response.retryAfter = answer.retryAfter;
    return true;
  };
  sinks.body = [&](std::string_view bytes) {
    response.body.append(bytes);
    return true;
  };
  SLUICE_TRY(connection.exchange(head, sinks, deadline, request.timeout), "exchange");
  return response;
}

Result<HttpResponse> ApiClient::Impl::send(const HttpRequest &request) {
  const std::string doing = request.method + " " + config.server + request.path;
  const auto deadline = Clock::now() + request.timeout;
  const Credentials::Snapshot secrets = credentials->now();
  if (Connection old = take(secrets)) {
    auto response = send_on(*old, request, secrets.token, deadline);
    if (response) {
      give_back(std::move(old), secrets);
      return response;
    }
    const bool lost_idle = !old->answered() && response.error().code() != Errc::timeout;
    if (!lost_idle || !is_repeatable(request.method))
      return fail(std::move(response.error()).in(doing));
  }
  SLUICE_ASSIGN(Connection fresh, open(secrets, deadline, nullptr), doing);
  SLUICE_ASSIGN(HttpResponse response, send_on(*fresh, request, secrets.token, deadline), doing);
  give_back(std::move(fresh), secrets);
  return response;
}

Result<std::unique_ptr<ApiClient>> ApiClient::create(ClientConfig config) {
  auto impl = std::make_unique<Impl>();
  SLUICE_ASSIGN(impl->url, http::parse_server_url(config.server), "set up the API client");
  if (!impl->url.tls && !impl->url.is_loopback() &&
      (!config.token.empty() || !config.tokenFile.empty()))
    return fail(Errc::invalid_input, "server \"" + config.server +
                                         "\": a token is not sent over plain http to another "
                                         "machine; use https");
  SLUICE_ASSIGN(impl->credentials, Credentials::create(config, impl->url.tls),
                "set up the API client");
  impl->config = std::move(config);
  return std::unique_ptr<ApiClient>(new ApiClient(std::move(impl)));
}

ApiClient::ApiClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiClient::~ApiClient() = default;

const ClientConfig &ApiClient::config() const noexcept { return impl_->config; }

Result<HttpResponse> ApiClient::send(const HttpRequest &request) {
  const auto began = Clock::now();
  auto response = impl_->send(request);
  impl_->seen(request.method, response ? response->status : 0, began);
  return response;
}

Result<json> ApiClient::call(const HttpRequest &request) {
  SLUICE_ASSIGN(const HttpResponse response, send(request), "ask the API server");
  const std::string doing = request.method + " " + request.path;
  if (response.status / 100 != 2)
    return fail(error_of(response).in(doing));
  json body = json::parse(response.body, nullptr, false);
  if (body.is_discarded())
    return fail(Errc::io, doing + ": the answer is not JSON");
  return body;
}

template <class Object> Result<Object> ApiClient::get(const ObjectKey &key) {
  HttpRequest request;
  request.path = path_of(rest_of<Object>(), key);
  SLUICE_ASSIGN(const HttpResponse response, send(request), "ask the API server");
  const std::string doing = "GET " + request.path;
  if (response.status / 100 != 2)
    return fail(error_of(response).in(doing));
  SLUICE_ASSIGN(Object object, decode<Object>(response.body), doing);
  return object;
}
template Result<Namespace> ApiClient::get(const ObjectKey &);
template Result<Node> ApiClient::get(const ObjectKey &);
template Result<Pod> ApiClient::get(const ObjectKey &);
template Result<Service> ApiClient::get(const ObjectKey &);
template Result<ServiceAccount> ApiClient::get(const ObjectKey &);
template Result<ConfigMap> ApiClient::get(const ObjectKey &);
template Result<Event> ApiClient::get(const ObjectKey &);
template Result<EndpointSlice> ApiClient::get(const ObjectKey &);
template Result<Lease> ApiClient::get(const ObjectKey &);
template Result<NetworkPolicy> ApiClient::get(const ObjectKey &);

Result<json> ApiClient::get(const RestKind &kind, const ObjectKey &key) {
  HttpRequest request;
  request.path = path_of(kind, key);
  return call(request);
}

Result<json> ApiClient::create_object(const RestKind &kind, const std::string &namespace_,
                                      const json &object) {
  HttpRequest request;
  request.method = "POST";
  request.path = path_of(kind, {namespace_, ""});
  request.body = to_text(object);
  return call(request);
}

Result<json> ApiClient::replace(const RestKind &kind, const ObjectKey &key, const json &object,
                                std::string_view subresource) {
  HttpRequest request;
  request.method = "PUT";
  request.path = path_of(kind, key);
  if (!subresource.empty())
    request.path.append("/").append(subresource);
  request.body = to_text(object);
  return call(request);
}

Result<json> ApiClient::merge_patch(const RestKind &kind, const ObjectKey &key, const json &patch,
                                    std::string_view subresource) {
  HttpRequest request;
  request.method = "PATCH";
  request.path = path_of(kind, key);
  if (!subresource.empty())
    request.path.append("/").append(subresource);
  request.contentType = "application/merge-patch+json";
  request.body = to_text(patch);
  return call(request);
}

Result<> ApiClient::remove(const RestKind &kind, const ObjectKey &key,
                           std::optional<std::int64_t> gracePeriodSeconds) {
  HttpRequest request;
  request.method = "DELETE";
  request.path = path_of(kind, key);
  if (gracePeriodSeconds)
    request.body = to_text({{"apiVersion", "v1"},
                            {"kind", "DeleteOptions"},
                            {"gracePeriodSeconds", *gracePeriodSeconds}});
  SLUICE_TRY(call(request), "delete");
  return {};
}

Result<> ApiClient::stream(const Stream &stream) {
  const std::string doing = "watch " + impl_->config.server + stream.path;
  const Credentials::Snapshot secrets = impl_->credentials->now();
  const auto began = Clock::now();
  bool answered = false;
  auto connection = impl_->open(secrets, Clock::now() + stream.silence, stream.stop);
  if (!connection && stream.stop && *stream.stop)
    return {};
  if (!connection) {
    impl_->seen("WATCH", 0, began);
    return fail(std::move(connection.error()).in(doing));
  }
  http::ClientRequest head = impl_->head_of(stream.accept, secrets.token);
  head.method = "GET";
  head.target = stream.path;
  http::ClientConnection::Sinks sinks;
  sinks.head = [&](const http::ResponseParser::Head &answer) {
    answered = true;
    impl_->seen("WATCH", answer.status, began);
    return stream.on_status({answer.status, answer.contentType, answer.retryAfter, ""});
  };
  sinks.body = stream.on_data;
  auto result =
      (*connection)->exchange(head, sinks, Clock::time_point::max(), stream.silence, stream.stop);
  if (result || (stream.stop && *stream.stop))
    return {};
  if (!answered)
    impl_->seen("WATCH", 0, began);
  return fail(std::move(result.error()).in(doing));
}

} // namespace sluice::kube
