#include "controlplane/api/body.hpp"
#include "controlplane/api/call.hpp"
#include "controlplane/auth/authorizer.hpp"
#include "controlplane/auth/tokens.hpp"
#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

void set_node(json &pod, const std::string &node, std::chrono::system_clock::time_point now) {
  pod["spec"]["nodeName"] = node;
  json *status = object_at(pod, "status");
  if (!status)
    return;
  json &conditions = (*status)["conditions"];
  if (!conditions.is_array())
    conditions = json::array();
  const auto scheduled = [](const json &condition) {
    return text(condition, "type") == "PodScheduled";
  };
  conditions.erase(std::remove_if(conditions.begin(), conditions.end(), scheduled),
                   conditions.end());
  conditions.push_back({{"type", "PodScheduled"},
                        {"status", "True"},
                        {"lastProbeTime", nullptr},
                        {"lastTransitionTime", format_time(now)}});
}

/// POST pods/x/binding: the scheduler's decision.
Answer bind_pod(const Call &call, const json &body, bool dry_run) {
  const auto &type = *call.route.type;
  const auto node = text(body, "target.name");
  if (node.empty())
    return error_answer(
        invalid(type, call.route.name, {{"FieldValueRequired", "target.name", "Required value"}}));
  const auto bind = [&](json &pod) -> ApiResult<> {
    const auto bound = text(pod, "spec.nodeName");
    if (!bound.empty())
      return refuse(
          conflict(type, call.route.name,
                   "pod " + call.route.name + " is already assigned to node \"" + bound + "\""));
    if (!is_empty(pod, "metadata.deletionTimestamp"))
      return refuse(
          conflict(type, call.route.name,
                   "pod " + call.route.name + " is being deleted, cannot be assigned to a host"));
    set_node(pod, node, std::chrono::system_clock::now());
    return {};
  };
  const auto bound = call.services.registry.mutate(type, call.key(), bind, {dry_run, "binding"});
  return bound ? success_answer(201, nullptr) : error_answer(bound.error());
}

/// POST pods/x/eviction: a deletion that asks first. There are no disruption budgets to ask.
Answer evict_pod(const Call &call, const json &body, bool dry_run) {
  DeleteOptions options;
  options.dry_run = dry_run;
  if (at(body, "deleteOptions.gracePeriodSeconds").is_number_integer())
    options.gracePeriodSeconds = number(body, "deleteOptions.gracePeriodSeconds");
  options.uid = text(body, "deleteOptions.preconditions.uid");
  const auto removed = call.services.registry.remove(*call.route.type, call.key(), options);
  return removed ? success_answer(201, nullptr) : error_answer(removed.error());
}

/// PUT namespaces/x/finalize: the only way to change spec.finalizers.
Answer finalize_namespace(const Call &call, const json &body, bool dry_run) {
  const auto change = [&body](json &document) -> ApiResult<> {
    if (json *spec = object_at(document, "spec"))
      (*spec)["finalizers"] = list(body, "spec.finalizers");
    const auto version = text(body, "metadata.resourceVersion");
    if (!version.empty())
      document["metadata"]["resourceVersion"] = version;
    return {};
  };
  const auto object =
      call.services.registry.mutate(*call.route.type, call.key(), change, {dry_run, "finalize"});
  return object ? bytes_answer(200, (*object)->bytes) : error_answer(object.error());
}

/// POST serviceaccounts/x/token
Answer request_token(const Call &call, const json &body) {
  constexpr std::int64_t kShortest = 600;
  const auto &type = *call.route.type;
  const auto account = call.services.registry.get(type, call.key());
  if (!account)
    return error_answer(account.error());
  const auto seconds = number(body, "spec.expirationSeconds", 3600);
  if (seconds < kShortest) {
    ResourceType request;
    request.group = "authentication.k8s.io";
    request.kind = "TokenRequest";
    return error_answer(invalid(request, "",
                                {{"FieldValueInvalid", "spec.expirationSeconds",
                                  "Invalid value: " + std::to_string(seconds) +
                                      ": may not specify a duration less than 10 minutes"}}));
  }
  TokenClaims claims;
  claims.namespace_ = call.route.namespace_;
  claims.serviceAccount = call.route.name;
  claims.serviceAccountUid = (*account)->uid;
  claims.audiences = texts(body, "spec.audiences");
  if (text(body, "spec.boundObjectRef.kind") == "Pod") {
    claims.pod = text(body, "spec.boundObjectRef.name");
    claims.podUid = text(body, "spec.boundObjectRef.uid");
  }
  const auto now = std::chrono::system_clock::now();
  claims.expires = now + std::chrono::seconds(seconds);
  auto token = call.services.tokens.issue(claims, now);
  if (!token)
    return error_answer(internal_error(token.error().what()));
  json answer = body.is_object() ? body : json::object();
  answer["kind"] = "TokenRequest";
  answer["apiVersion"] = "authentication.k8s.io/v1";
  answer["metadata"] = {{"name", call.route.name}, {"namespace", call.route.namespace_}};
  answer["spec"]["expirationSeconds"] = seconds;
  answer["status"] = {{"token", *token}, {"expirationTimestamp", format_time(claims.expires)}};
  return json_answer(201, answer);
}

} // namespace

bool is_foreign_pod(const User &user, const Stored &pod) {
  const auto node = node_of(user);
  return !node.empty() && text(pod.document(), "spec.nodeName") != node;
}

std::optional<Answer> answer_subresource(const Call &call) {
  const auto &type = *call.route.type;
  const auto &name = call.route.subresource;
  const bool known =
      std::any_of(type.subresources.begin(), type.subresources.end(),
                  [&name](const Subresource &subresource) { return subresource.name == name; });
  if (!known)
    return std::nullopt;
  const auto body = parse_body(call.request);
  if (!body)
    return error_answer(body.error());
  const auto dry_run = is_dry_run(call.request);
  if (!dry_run)
    return error_answer(dry_run.error());
  const bool posted = call.route.verb == "create";
  if (type.kind == "Pod" && name == "binding" && posted)
    return bind_pod(call, *body, *dry_run);
  if (type.kind == "Pod" && name == "eviction" && posted)
    return evict_pod(call, *body, *dry_run);
  if (type.kind == "ServiceAccount" && name == "token" && posted)
    return request_token(call, *body);
  if (type.kind == "Namespace" && name == "finalize" && call.route.verb == "update")
    return finalize_namespace(call, *body, *dry_run);
  return error_answer(method_not_allowed());
}

} // namespace sluice::controlplane
