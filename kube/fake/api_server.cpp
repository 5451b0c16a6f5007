#include "kube/fake/api_server.hpp"

#include "kube/codec.hpp"
#include "kube/fake/store.hpp"

#include <charconv>
#include <condition_variable>

namespace sluice::kube::fake {
namespace {

using http::Exchange;
using http::Request;

constexpr const char *kListTooLarge = "ResourceVersionTooLarge";

/// "/api/v1/namespaces/x/pods/y/status" taken apart.
struct Target {
  const RestKind *kind = nullptr;
  ObjectKey key;
  std::string subresource;
};

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (!part.empty())
      parts.emplace_back(part);
  }
  return parts;
}

std::optional<Target> target_of(const std::string &path) {
  for (const RestKind &kind : all_rest_kinds()) {
    if (!path.starts_with(std::string(kind.prefix) + "/"))
      continue;
    std::vector<std::string> parts = split_path(std::string_view(path).substr(kind.prefix.size()));
    Target target{&kind, {}, ""};
    if (kind.namespaced && parts.size() >= 3 && parts[0] == "namespaces") {
      target.key.namespace_ = parts[1];
      parts.erase(parts.begin(), parts.begin() + 2);
    }
    if (parts.empty() || parts.size() > 3 || parts[0] != kind.plural)
      continue;
    if (parts.size() == 3 && kind.kind == "Namespace" && parts[2] != "status")
      continue; // the collection of another kind
    target.key.name = parts.size() > 1 ? parts[1] : "";
    target.subresource = parts.size() > 2 ? parts[2] : "";
    return target;
  }
  return std::nullopt;
}

std::uint64_t number(const std::string &text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

http::Response response_of(int status, const json &body) {
  return {status, "application/json", {}, std::make_shared<const std::string>(body.dump())};
}

Outcome<Scope> scope_of(const Request &request, const Target &target) {
  Scope scope;
  scope.namespace_ = target.key.namespace_;
  auto labels = LabelMatcher::parse(request.parameter("labelSelector"));
  auto fields = FieldMatcher::parse(request.parameter("fieldSelector"));
  if (!labels || !fields)
    return tl::unexpected(
        Refusal{400, "BadRequest", !labels ? labels.error().what() : fields.error().what()});
  scope.labels = std::move(*labels);
  scope.fields = std::move(*fields);
  return scope;
}

} // namespace

struct ApiServer::Impl {
  struct Watch {
    const RestKind *kind;
    Scope scope;
    std::shared_ptr<http::Stream> stream;
    bool send(const std::string &line) const {
      return stream->write(std::make_shared<const std::string>(line));
    }
  };
  struct Fault {
    unsigned left = 0;
    int status = 0;
    std::string reason;
    int retry_after_seconds = 0;
  };

  mutable std::mutex mutex; // guards everything below but `server`
  mutable std::condition_variable watches_changed;
  Store store;
  std::vector<Watch> watches;
  Fault fault;
  bool gone_as_status = false, stalled = false;
  WatchList watch_list = WatchList::served;
  std::string token;
  std::vector<std::string> requests;
  std::vector<std::shared_ptr<Exchange>> waiting;
  std::unique_ptr<http::Server> server; // last: its handler uses the rest

  void handle(std::shared_ptr<Exchange> exchange);
  void answer(const std::shared_ptr<Exchange> &exchange);
  bool refuse(const std::shared_ptr<Exchange> &exchange);
  Outcome<json> serve(const Request &request, const Target &target);
  Outcome<json> list(const Request &request, const Target &target) const;
  Outcome<json> post(const Target &target, const json &body);
  Outcome<json> bind(const Target &target, const json &body);
  void watch(const std::shared_ptr<Exchange> &exchange, const Target &target);
  std::string initial_lines(const Request &request, const Target &target, const Scope &scope,
                            bool with_end) const;
  std::string bookmark(const RestKind &kind, bool initial_end) const;
  void publish(std::uint64_t since);
  template <class Change> auto change(Change change) {
    const std::uint64_t before = store.version();
    auto result = change();
    publish(before);
    return result;
  }
};

void ApiServer::Impl::publish(std::uint64_t since) {
  for (std::size_t i = 0; i < watches.size();) {
    bool open = true;
    for (const Event *event : store.since(*watches[i].kind, since))
      if (const std::string line = event->line_for(watches[i].scope); !line.empty())
        open = watches[i].send(line);
    if (open)
      ++i;
    else
      watches.erase(watches.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void ApiServer::Impl::handle(std::shared_ptr<Exchange> exchange) {
  const std::lock_guard lock(mutex);
  const Request &request = exchange->request();
  std::string text = request.method + " " + request.path;
  char separator = '?';
  for (const auto &[name, value] : request.query) {
    text += separator + name + "=" + value;
    separator = '&';
  }
  requests.push_back(std::move(text));
  if (stalled)
    waiting.push_back(std::move(exchange));
  else
    answer(exchange);
}

bool ApiServer::Impl::refuse(const std::shared_ptr<Exchange> &exchange) {
  if (fault.left > 0) {
    --fault.left;
    http::Response response =
        response_of(fault.status, status_document(fault.status, fault.reason, "refused on demand"));
    if (fault.retry_after_seconds > 0)
      response.headers.emplace_back("Retry-After", std::to_string(fault.retry_after_seconds));
    exchange->reply(std::move(response));
    return true;
  }
  if (!token.empty() && exchange->request().header("authorization") != "Bearer " + token) {
    exchange->reply(response_of(401, status_document(401, "Unauthorized", "Unauthorized")));
    return true;
  }
  return false;
}

void ApiServer::Impl::answer(const std::shared_ptr<Exchange> &exchange) {
  if (refuse(exchange))
    return;
  const Request &request = exchange->request();
  const std::optional<Target> target = target_of(request.path);
  if (!target) {
    exchange->reply(
        {404, "text/plain", {}, std::make_shared<const std::string>("404 page not found\n")});
    return;
  }
  if (request.method == "GET" && request.parameter("watch") == "true")
    return watch(exchange, *target);
  const Outcome<json> outcome = serve(request, *target);
  if (!outcome)
    return exchange->reply(response_of(outcome.error().code, outcome.error().status()));
  exchange->reply(response_of(request.method == "POST" ? 201 : 200, *outcome));
}

Outcome<json> ApiServer::Impl::serve(const Request &request, const Target &target) {
  const auto &[kind, key, subresource] = target;
  if (request.method == "GET" && key.name.empty())
    return list(request, target);
  if (request.method == "GET") {
    if (const json *found = store.find(*kind, key))
      return *found;
    return tl::unexpected(
        Refusal{404, "NotFound", std::string(kind->plural) + " \"" + key.name + "\" not found"});
  }
  const json body =
      request.body.empty() ? json::object() : json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return tl::unexpected(Refusal{400, "BadRequest", "the body is not a JSON object"});
  return change([&]() -> Outcome<json> {
    if (request.method == "POST")
      return post(target, body);
    if (request.method == "PUT")
      return store.replace(*target.kind, target.key, body, target.subresource);
    if (request.method == "DELETE") {
      const auto grace = body.find("gracePeriodSeconds");
      return store.remove(*target.kind, target.key,
                          grace == body.end() ? std::nullopt : std::optional<std::int64_t>(*grace));
    }
    if (request.method != "PATCH")
      return tl::unexpected(Refusal{405, "MethodNotAllowed", "method not allowed"});
    if (request.header("content-type") != "application/merge-patch+json")
      return tl::unexpected(Refusal{415, "UnsupportedMediaType", "only merge patches"});
    return store.patch(*target.kind, target.key, body, target.subresource);
  });
}

Outcome<json> ApiServer::Impl::post(const Target &target, const json &body) {
  if (target.subresource == "binding")
    return bind(target, body);
  if (!target.key.name.empty())
    return tl::unexpected(Refusal{405, "MethodNotAllowed", "POST goes to a collection"});
  return store.create(*target.kind, target.key.namespace_, body);
}

Outcome<json> ApiServer::Impl::bind(const Target &target, const json &body) {
  const json node = body.value(json::json_pointer("/target/name"), json(""));
  const json *pod = store.find(*target.kind, target.key);
  if (pod && !pod->value(json::json_pointer("/spec/nodeName"), "").empty())
    return tl::unexpected(Refusal{409, "Conflict", "the pod is already assigned to a node"});
  return store.patch(*target.kind, target.key, {{"spec", {{"nodeName", node}}}}, "");
}

// A page is told by the version of its list and the number of items that came before.
Outcome<json> ApiServer::Impl::list(const Request &request, const Target &target) const {
  const auto scope = scope_of(request, target);
  if (!scope)
    return tl::unexpected(scope.error());
  const std::string &version = request.parameter("resourceVersion");
  if (number(version) > store.version())
    return tl::unexpected(
        Refusal{504,
                "Timeout",
                "Too large resource version",
                {{"retryAfterSeconds", 1}, {"causes", {{{"reason", kListTooLarge}}}}}});
  const std::string &token_text = request.parameter("continue");
  const std::uint64_t at_version =
      token_text.empty() ? store.version() : number(token_text.substr(0, token_text.find(':')));
  if (at_version < store.oldest())
    return tl::unexpected(Refusal{410, "Expired", "The provided continue parameter is too old"});
  const std::size_t begin =
      token_text.empty() ? 0 : number(token_text.substr(token_text.find(':') + 1));
  std::vector<json> items = store.list(*target.kind, *scope);
  const std::uint64_t limit = version == "0" ? 0 : number(request.parameter("limit"));
  items.erase(items.begin(),
              items.begin() + static_cast<std::ptrdiff_t>(std::min(begin, items.size())));
  json metadata = {{"resourceVersion", std::to_string(at_version)}};
  if (limit > 0 && items.size() > limit) {
    items.resize(limit);
    metadata["continue"] = std::to_string(at_version) + ":" + std::to_string(begin + limit);
  }
  for (json &item : items) { // items of a typed list do not say what they are
    item.erase("kind");
    item.erase("apiVersion");
  }
  return json{{"kind", std::string(target.kind->kind) + "List"},
              {"apiVersion", target.kind->groupVersion},
              {"metadata", std::move(metadata)},
              {"items", std::move(items)}};
}

std::string ApiServer::Impl::bookmark(const RestKind &kind, bool initial_end) const {
  json meta = {{"resourceVersion", std::to_string(store.version())}};
  if (initial_end)
    meta["annotations"]["k8s.io/initial-events-end"] = "true";
  return json{{"type", "BOOKMARK"},
              {"object",
               {{"kind", kind.kind}, {"apiVersion", kind.groupVersion}, {"metadata", meta}}}}
             .dump() +
         "\n";
}

std::string ApiServer::Impl::initial_lines(const Request &request, const Target &target,
                                           const Scope &scope, bool with_end) const {
  const std::uint64_t version = number(request.parameter("resourceVersion"));
  std::string lines;
  if (version == 0 || with_end) {
    for (const json &object : store.list(*target.kind, scope))
      lines += json{{"type", "ADDED"}, {"object", object}}.dump() + "\n";
    return with_end ? lines + bookmark(*target.kind, true) : lines;
  }
  for (const Event *event : store.since(*target.kind, version))
    lines += event->line_for(scope);
  return lines;
}

void ApiServer::Impl::watch(const std::shared_ptr<Exchange> &exchange, const Target &target) {
  const Request &request = exchange->request();
  const auto refusal = [&](const Refusal &why) {
    exchange->reply(response_of(why.code, why.status()));
  };
  const auto scope = scope_of(request, target);
  if (!scope)
    return refusal(scope.error());
  const bool asks_list = request.parameter("sendInitialEvents") == "true";
  if (asks_list && watch_list == WatchList::refused)
    return refusal({400, "BadRequest", "sendInitialEvents is forbidden for watch"});
  if (asks_list && request.parameter("resourceVersionMatch") != "NotOlderThan")
    return refusal({422, "Invalid", "sendInitialEvents requires resourceVersionMatch"});
  const std::uint64_t version = number(request.parameter("resourceVersion"));
  const bool with_end = asks_list && watch_list == WatchList::served;
  if (asks_list && version > store.version())
    return refusal({504,
                    "Timeout",
                    "Too large resource version",
                    {{"causes", {{{"reason", kListTooLarge}}}}}});
  if (version != 0 && version < store.oldest() && !with_end) {
    const json gone = status_document(410, "Expired", "too old resource version");
    if (gone_as_status)
      return exchange->reply(response_of(410, gone));
    const json event = {{"type", "ERROR"}, {"object", gone}};
    exchange
        ->begin_stream(
            {200, "application/json", {}, std::make_shared<const std::string>(event.dump() + "\n")})
        ->close();
    return;
  }
  const auto first =
      std::make_shared<const std::string>(initial_lines(request, target, *scope, with_end));
  watches.push_back(
      {target.kind, *scope, exchange->begin_stream({200, "application/json", {}, first})});
  watches_changed.notify_all();
}

Result<std::unique_ptr<ApiServer>> ApiServer::start(ApiServerOptions options) {
  auto impl = std::make_unique<Impl>();
  http::ServerOptions server;
  server.tls = std::move(options.tls);
  server.sockets = std::move(options.sockets);
  if (server.sockets.empty())
    server.listen = {options.listen};
  server.timeouts.stop = std::chrono::milliseconds(100);
  SLUICE_ASSIGN(impl->server,
                http::Server::start(std::move(server),
                                    [raw = impl.get()](std::shared_ptr<Exchange> exchange) {
                                      raw->handle(std::move(exchange));
                                    }),
                "start the fake API");
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiServer::~ApiServer() = default;

SocketAddress ApiServer::address() const { return impl_->server->addresses().front(); }

ClientConfig ApiServer::config() const {
  ClientConfig config;
  config.server = "http://" + address().str();
  return config;
}

std::string ApiServer::put(const RestKind &kind, const json &object) {
  const std::lock_guard lock(impl_->mutex);
  const json stored = impl_->change([&] { return impl_->store.put(kind, object); });
  return stored["metadata"]["resourceVersion"];
}

template <class Object> std::string ApiServer::put(const Object &object) {
  return put(rest_of<Object>(), to_json(object));
}
template std::string ApiServer::put(const kube::Namespace &);
template std::string ApiServer::put(const kube::Node &);
template std::string ApiServer::put(const kube::Pod &);
template std::string ApiServer::put(const kube::Service &);
template std::string ApiServer::put(const kube::ServiceAccount &);
template std::string ApiServer::put(const kube::ConfigMap &);
template std::string ApiServer::put(const kube::Event &);
template std::string ApiServer::put(const kube::EndpointSlice &);
template std::string ApiServer::put(const kube::Lease &);
template std::string ApiServer::put(const kube::NetworkPolicy &);

bool ApiServer::erase(const RestKind &kind, const ObjectKey &key) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->change([&] { return impl_->store.erase(kind, key); });
}

std::optional<json> ApiServer::find(const RestKind &kind, const ObjectKey &key) const {
  const std::lock_guard lock(impl_->mutex);
  const json *found = impl_->store.find(kind, key);
  return found ? std::optional(*found) : std::nullopt;
}

std::string ApiServer::resource_version() const {
  const std::lock_guard lock(impl_->mutex);
  return std::to_string(impl_->store.version());
}

void ApiServer::send_bookmarks() {
  const std::lock_guard lock(impl_->mutex);
  for (const auto &watch : impl_->watches)
    watch.send(impl_->bookmark(*watch.kind, false));
}

void ApiServer::end_watches() {
  const std::lock_guard lock(impl_->mutex);
  impl_->watches.clear(); // the end of a Stream ends its body
}

void ApiServer::break_watches() {
  const std::lock_guard lock(impl_->mutex);
  for (const auto &watch : impl_->watches)
    watch.stream->abort();
  impl_->watches.clear();
}

void ApiServer::send_line(const RestKind &kind, const std::string &line) {
  const std::lock_guard lock(impl_->mutex);
  for (const auto &watch : impl_->watches)
    if (watch.kind == &kind)
      watch.send(line + "\n");
}

void ApiServer::send_error(int code, const std::string &reason) {
  const std::lock_guard lock(impl_->mutex);
  const json event = {{"type", "ERROR"}, {"object", status_document(code, reason, "on demand")}};
  for (const auto &watch : impl_->watches)
    watch.send(event.dump() + "\n");
  impl_->watches.clear();
}

void ApiServer::fail_next(unsigned count, int status, const std::string &reason,
                          int retry_after_seconds) {
  const std::lock_guard lock(impl_->mutex);
  impl_->fault = {count, status, reason, retry_after_seconds};
}

void ApiServer::compact() {
  const std::lock_guard lock(impl_->mutex);
  impl_->store.compact();
}

void ApiServer::gone_as_status(bool yes) {
  const std::lock_guard lock(impl_->mutex);
  impl_->gone_as_status = yes;
}

void ApiServer::require_token(const std::string &token) {
  const std::lock_guard lock(impl_->mutex);
  impl_->token = token;
}

void ApiServer::watch_list(WatchList behaviour) {
  const std::lock_guard lock(impl_->mutex);
  impl_->watch_list = behaviour;
}

void ApiServer::stall(bool yes) {
  const std::lock_guard lock(impl_->mutex);
  impl_->stalled = yes;
  if (yes)
    return;
  for (const auto &exchange : std::exchange(impl_->waiting, {}))
    impl_->answer(exchange);
}

std::vector<std::string> ApiServer::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

std::size_t ApiServer::open_watches(const RestKind &kind) const {
  const std::lock_guard lock(impl_->mutex);
  return static_cast<std::size_t>(
      std::count_if(impl_->watches.begin(), impl_->watches.end(),
                    [&](const auto &watch) { return watch.kind == &kind; }));
}

bool ApiServer::wait_for_watches(const RestKind &kind, std::size_t count) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->watches_changed.wait_for(lock, std::chrono::seconds(5), [&] {
    return static_cast<std::size_t>(
               std::count_if(impl_->watches.begin(), impl_->watches.end(),
                             [&](const auto &watch) { return watch.kind == &kind; })) >= count;
  });
}

} // namespace sluice::kube::fake
