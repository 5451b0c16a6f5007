#include "proxy/tests/node/api_stub.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace sluice::proxy::test {
namespace {

using nlohmann::json;

Result<UniqueFd> listen_on_loopback(Port port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.value);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 64) != 0)
    return fail(Error::from_errno(errno, "listen for the API"));
  return fd;
}

kube::http::Response reply(int status, std::string body) {
  return {status, "application/json", {}, std::make_shared<const std::string>(std::move(body))};
}

std::string key_of(const std::string &namespace_, const std::string &name) {
  return namespace_ + "/" + name;
}

} // namespace

Result<std::unique_ptr<ApiStub>> ApiStub::start(const kernel::NetNs &where) {
  std::unique_ptr<ApiStub> stub(new ApiStub(where));
  SLUICE_TRY(stub->come_back(), "start the API");
  return stub;
}

ApiStub::~ApiStub() { go_away(); }

std::string ApiStub::url() const { return "http://127.0.0.1:" + std::to_string(port_.value); }

void ApiStub::put(const std::string &plural, json object) {
  const std::lock_guard lock(mutex_);
  auto &metadata = object["metadata"];
  const auto key = key_of(metadata.value("namespace", ""), metadata.value("name", ""));
  metadata["resourceVersion"] = std::to_string(++version_);
  metadata["uid"] = "uid-" + key;
  const bool known = objects_.count({plural, key}) != 0;
  objects_[{plural, key}] = object.dump();
  publish(plural, known ? "MODIFIED" : "ADDED", objects_[{plural, key}]);
}

void ApiStub::remove(const std::string &plural, const std::string &namespace_,
                     const std::string &name) {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find({plural, key_of(namespace_, name)});
  if (found == objects_.end())
    return;
  auto object = json::parse(found->second);
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  objects_.erase(found);
  publish(plural, "DELETED", object.dump());
}

std::vector<json> ApiStub::created(const std::string &plural) {
  const std::lock_guard lock(mutex_);
  std::vector<json> out;
  for (const auto &[kind, text] : created_)
    if (kind == plural)
      out.push_back(json::parse(text));
  return out;
}

void ApiStub::refuse(const std::string &plural, int status) {
  const std::lock_guard lock(mutex_);
  refused_[plural] = status;
}

void ApiStub::go_away() {
  {
    const std::lock_guard lock(mutex_);
    for (const auto &watcher : watchers_)
      watcher.stream->close();
    watchers_.clear();
  }
  server_.reset();
}

Result<> ApiStub::come_back() {
  SLUICE_ASSIGN(auto socket, where_.run([this] { return listen_on_loopback(port_); }), "listen");
  kube::http::ServerOptions options;
  options.sockets.push_back(std::move(socket));
  SLUICE_ASSIGN(server_,
                kube::http::Server::start(
                    std::move(options),
                    [this](std::shared_ptr<kube::http::Exchange> exchange) { answer(exchange); }),
                "serve");
  port_ = server_->addresses().front().port;
  return {};
}

void ApiStub::answer(const std::shared_ptr<kube::http::Exchange> &exchange) {
  const auto &request = exchange->request();
  const auto plural = request.path.substr(request.path.rfind('/') + 1);
  const std::lock_guard lock(mutex_);
  if (const auto refused = refused_.find(plural); refused != refused_.end())
    return exchange->reply(reply(refused->second, "not here\n"));
  if (request.method == "POST") {
    created_.emplace_back(plural, request.body);
    return exchange->reply(reply(201, request.body));
  }
  if (request.parameter("watch").empty())
    return list(plural, *exchange);
  if (!request.parameter("sendInitialEvents").empty())
    return exchange->reply(
        reply(422, R"({"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid",)"
                   R"("message":"sendInitialEvents is forbidden","code":422})"));
  const auto &since = request.parameter("resourceVersion");
  watch(plural, since.empty() ? 0 : std::stoull(since), *exchange);
}

void ApiStub::list(const std::string &plural, kube::http::Exchange &exchange) {
  std::string items;
  for (const auto &[key, object] : objects_)
    if (key.first == plural)
      items += (items.empty() ? "" : ",") + object;
  exchange.reply(reply(200, R"({"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":")" +
                                std::to_string(version_) + R"("},"items":[)" + items + "]}"));
}

void ApiStub::watch(const std::string &plural, std::uint64_t since,
                    kube::http::Exchange &exchange) {
  auto stream = exchange.begin_stream({200, "application/json", {}, nullptr});
  for (const auto &event : events_)
    if (event.plural == plural && event.version > since)
      stream->write(std::make_shared<const std::string>(event.line));
  watchers_.push_back({plural, std::move(stream)});
}

void ApiStub::publish(const std::string &plural, const char *type, const std::string &object) {
  const auto line = std::string(R"({"type":")") + type + R"(","object":)" + object + "}\n";
  events_.push_back({plural, line, version_});
  const auto bytes = std::make_shared<const std::string>(line);
  for (const auto &watcher : watchers_)
    if (watcher.plural == plural)
      watcher.stream->write(bytes);
}

} // namespace sluice::proxy::test
