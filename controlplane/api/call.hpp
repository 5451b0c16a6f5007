#pragma once
// One request on its way to its answer, and what the handlers work with.

#include "controlplane/api/answer.hpp"
#include "controlplane/api/route.hpp"
#include "controlplane/auth/user.hpp"
#include "controlplane/registry/registry.hpp"

namespace sluice::controlplane {

class TokenIssuer;

/// Everything that handlers need; outlives them.
struct Services {
  Registry &registry;
  const TokenIssuer &tokens;
  std::string serverAddress; ///< "127.0.0.1:6443", for GET /api
};

struct Call {
  const Services &services;
  const kube::http::Request &request;
  Route route;
  User user;

  const std::string &parameter(const char *name) const { return request.parameter(name); }
  Key key() const { return {route.namespace_, route.name}; }
};

// Each handler answers one kind of request; the route's type is set, the user is allowed.
Answer answer_get(const Call &call);
Answer answer_list(const Call &call);
Answer answer_create(const Call &call);
Answer answer_update(const Call &call);
Answer answer_patch(const Call &call);
Answer answer_delete(const Call &call);
Answer answer_delete_collection(const Call &call);
/// Subresources that are neither `status` nor the object itself: binding, eviction, token,
/// finalize. Nothing: there is no such subresource.
std::optional<Answer> answer_subresource(const Call &call);
/// The reviews of authentication.k8s.io and authorization.k8s.io; the route has no type.
std::optional<Answer> answer_review(const Call &call);
/// Discovery, OpenAPI, version, health; the route is no resource.
std::optional<Answer> answer_path(const Call &call);
/// Takes the exchange: the answer lasts as long as the watch.
void begin_watch(const Call &call, const std::shared_ptr<kube::http::Exchange> &exchange);

/// fieldSelector= and labelSelector=, in the route's namespace.
ApiResult<Selection> selection_of(const Call &call);

/// True if the user is a node and `pod` is not one of its own: such writes are refused.
bool is_foreign_pod(const User &user, const Stored &pod);

} // namespace sluice::controlplane
