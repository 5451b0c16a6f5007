#include "controlplane/api/api_server.hpp"

#include "controlplane/auth/authenticator.hpp"
#include "controlplane/auth/authorizer.hpp"
#include "kube/daemon/log.hpp"

#include <algorithm>

namespace sluice::controlplane {
namespace {

Answer no_such_path() { return text_answer(404, "404 page not found\n"); }

ApiError denied(const Call &call) {
  ApiError error;
  error.code = 403;
  error.reason = "Forbidden";
  const auto sentence = denial(call.user, call.route.attributes());
  if (!call.route.is_resource) {
    error.message = "forbidden: " + sentence;
    return error;
  }
  error.name = call.route.name;
  error.group = call.route.group;
  error.kind = call.route.plural;
  const auto group = call.route.group.empty() ? "" : "." + call.route.group;
  const auto name = call.route.name.empty() ? "" : " \"" + call.route.name + "\"";
  error.message = call.route.plural + group + name + " is forbidden: " + sentence;
  return error;
}

bool serves(const ResourceType &type, const std::string &verb) {
  return type.verbs.empty() ||
         std::find(type.verbs.begin(), type.verbs.end(), verb) != type.verbs.end();
}

Answer answer_object(const Call &call) {
  const auto &verb = call.route.verb;
  const bool named = !call.route.name.empty();
  if (verb == "get" && named)
    return answer_get(call);
  if (verb == "list")
    return answer_list(call);
  if (verb == "create" && !named)
    return answer_create(call);
  if (verb == "update" && named)
    return answer_update(call);
  if (verb == "patch" && named)
    return answer_patch(call);
  if (verb == "delete")
    return answer_delete(call);
  if (verb == "deletecollection")
    return answer_delete_collection(call);
  return error_answer(method_not_allowed());
}

std::optional<Answer> answer_resource(const Call &call) {
  const auto &route = call.route;
  if (!route.type)
    return answer_review(call);
  if (route.type->namespaced && route.namespace_.empty() && !route.name.empty())
    return std::nullopt;
  if (!route.type->namespaced && !route.namespace_.empty())
    return std::nullopt;
  const bool status = route.subresource == "status" && route.type->hasStatus;
  if (!route.subresource.empty() && !status)
    return answer_subresource(call);
  if (status && route.verb != "get" && route.verb != "update" && route.verb != "patch")
    return error_answer(method_not_allowed());
  if (!serves(*route.type, route.verb))
    return error_answer(method_not_allowed());
  return answer_object(call);
}

} // namespace

Answer answer_call(const Call &call) {
  if (!allowed(call.user, call.route.attributes()))
    return error_answer(denied(call));
  auto answer = call.route.is_resource ? answer_resource(call) : answer_path(call);
  return answer ? std::move(*answer) : no_such_path();
}

ApiServer::ApiServer(Registry &registry, const TokenIssuer &tokens, Options &options)
    : services_{registry, tokens, options.advertised},
      workers_(std::make_unique<Workers>(options.workers)) {}

ApiServer::~ApiServer() {
  server_.reset(); // no handler runs after this; what the workers still do is not answered
  workers_.reset();
}

const std::vector<SocketAddress> &ApiServer::addresses() const noexcept {
  return server_->addresses();
}

Result<std::unique_ptr<ApiServer>> ApiServer::start(Registry &registry, const TokenIssuer &tokens,
                                                    Options options) {
  std::unique_ptr<ApiServer> api(new ApiServer(registry, tokens, options));
  auto *self = api.get();
  SLUICE_ASSIGN(api->server_,
                kube::http::Server::start(std::move(options.http),
                                          [self](std::shared_ptr<kube::http::Exchange> exchange) {
                                            self->workers_->run(
                                                [self, exchange = std::move(exchange)] {
                                                  self->answer(exchange);
                                                });
                                          }),
                "serve the API");
  return api;
}

void ApiServer::answer(const std::shared_ptr<kube::http::Exchange> &exchange) {
  const auto &request = exchange->request();
  auto user = authenticate(request, services_.registry, services_.tokens);
  if (!user) {
    exchange->reply(error_answer(user.error()));
    return;
  }
  const Call call{services_, request, parse_route(request), std::move(*user)};
  const bool watch = call.route.verb == "watch" && call.route.type &&
                     call.route.subresource.empty() && serves(*call.route.type, "watch");
  if (watch && allowed(call.user, call.route.attributes())) {
    begin_watch(call, exchange);
    return;
  }
  auto answer = answer_call(call);
  if (answer.status >= 500)
    kube::daemon::log_warning("request failed", {{"method", request.method},
                                                 {"path", request.path},
                                                 {"user", call.user.name},
                                                 {"status", answer.status}});
  exchange->reply(std::move(answer));
}

} // namespace sluice::controlplane
