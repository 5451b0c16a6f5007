// What a user may do and who it is, asked by the user itself.
#include "controlplane/api/body.hpp"
#include "controlplane/api/call.hpp"
#include "controlplane/api/discovery.hpp"
#include "controlplane/auth/authenticator.hpp"
#include "controlplane/auth/authorizer.hpp"
#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

Attributes attributes_of(const json &spec) {
  const auto path = text(spec, "nonResourceAttributes.path");
  if (!path.empty())
    return {.verb = text(spec, "nonResourceAttributes.verb"), .path = path};
  const json &resource = map(spec, "resourceAttributes");
  Attributes attributes;
  attributes.verb = text(resource, "verb");
  attributes.group = text(resource, "group");
  attributes.version = text(resource, "version");
  attributes.resource = text(resource, "resource");
  attributes.subresource = text(resource, "subresource");
  attributes.namespace_ = text(resource, "namespace");
  attributes.name = text(resource, "name");
  return attributes;
}

json access_status(const User &user, const json &spec) {
  const bool yes = allowed(user, attributes_of(spec));
  return {{"allowed", yes}};
}

User user_of(const json &spec) {
  User user;
  user.name = text(spec, "user");
  user.uid = text(spec, "uid");
  user.groups = texts(spec, "groups");
  return user;
}

json to_json(const User &user) {
  json info = {{"username", user.name}, {"groups", user.groups}};
  if (!user.uid.empty())
    info["uid"] = user.uid;
  if (!user.extra.empty())
    info["extra"] = user.extra;
  return info;
}

/// Exact for administrators; for the others only what every user may do, marked as incomplete.
json rules_status(const User &user) {
  const bool all = user.in_group("system:masters");
  json resources = json::array();
  json paths = json::array();
  if (all) {
    resources.push_back({{"verbs", {"*"}}, {"apiGroups", {"*"}}, {"resources", {"*"}}});
    paths.push_back({{"verbs", {"*"}}, {"nonResourceURLs", {"*"}}});
  } else {
    paths.push_back(
        {{"verbs", {"get"}}, {"nonResourceURLs", {"/healthz", "/livez", "/readyz", "/version"}}});
  }
  return {{"resourceRules", std::move(resources)},
          {"nonResourceRules", std::move(paths)},
          {"incomplete", !all}};
}

json token_status(const Call &call, const json &spec) {
  const auto user =
      authenticate_token(text(spec, "token"), call.services.registry, call.services.tokens);
  if (!user)
    return {{"authenticated", false}, {"error", "the token is not valid"}};
  return {{"authenticated", true}, {"user", to_json(*user)}};
}

} // namespace

std::optional<Answer> answer_review(const Call &call) {
  const auto *type = find_virtual(call.route.group, call.route.version, call.route.plural);
  if (!type)
    return std::nullopt;
  if (call.route.verb != "create")
    return error_answer(method_not_allowed());
  const auto body = parse_body(call.request);
  if (!body)
    return error_answer(body.error());
  const json &spec = map(*body, "spec");
  json answer = body->is_object() ? *body : json::object();
  answer["kind"] = type->kind;
  answer["apiVersion"] = type->group + "/" + type->version;
  if (type->kind == "SelfSubjectAccessReview")
    answer["status"] = access_status(call.user, spec);
  else if (type->kind == "SubjectAccessReview")
    answer["status"] = access_status(user_of(spec), spec);
  else if (type->kind == "SelfSubjectRulesReview")
    answer["status"] = rules_status(call.user);
  else if (type->kind == "SelfSubjectReview")
    answer["status"] = {{"userInfo", to_json(call.user)}};
  else
    answer["status"] = token_status(call, spec);
  if (!answer.contains("metadata") || answer["metadata"].is_null())
    answer["metadata"] = json::object();
  return json_answer(201, answer);
}

} // namespace sluice::controlplane
