#include "controlplane/auth/authorizer.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace sluice::controlplane {
namespace {

constexpr std::string_view kNodePrefix = "system:node:";

/// One line of a role: these verbs on these resources ("pods/status") of this group.
struct Rule {
  std::string_view group;
  std::initializer_list<std::string_view> resources, verbs;
};

bool contains(std::initializer_list<std::string_view> list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string resource_of(const Attributes &request) {
  return request.subresource.empty() ? request.resource
                                     : request.resource + "/" + request.subresource;
}

bool grants(const Rule &rule, const Attributes &request) {
  return rule.group == request.group && contains(rule.resources, resource_of(request)) &&
         contains(rule.verbs, request.verb);
}

/// What every agent of the cluster reads.
const Rule kReading[] = {
    {"",
     {"services", "endpoints", "pods", "nodes", "namespaces", "configmaps", "serviceaccounts"},
     {"get", "list", "watch"}},
    {"discovery.k8s.io", {"endpointslices"}, {"get", "list", "watch"}},
    {"networking.k8s.io", {"networkpolicies", "servicecidrs"}, {"get", "list", "watch"}},
    {"coordination.k8s.io", {"leases"}, {"get", "list", "watch"}},
    {"", {"events"}, {"get", "list", "watch", "create", "update", "patch"}},
    {"events.k8s.io", {"events"}, {"get", "list", "watch", "create", "update", "patch"}},
};
const Rule kNodeAnywhere[] = {
    {"", {"nodes"}, {"create"}},
    {"", {"pods/status"}, {"update", "patch"}},
    {"", {"pods"}, {"delete"}},
    {"", {"pods/eviction"}, {"create"}},
    {"", {"serviceaccounts/token"}, {"create"}},
    {"coordination.k8s.io", {"leases"}, {"create"}},
};
/// The rights of the ClusterRole system:node-proxier.
const Rule kProxy[] = {
    {"", {"services", "endpoints", "nodes"}, {"get", "list", "watch"}},
    {"discovery.k8s.io", {"endpointslices"}, {"list", "watch"}},
    {"networking.k8s.io", {"servicecidrs"}, {"list", "watch"}},
    {"", {"events"}, {"create", "update", "patch"}},
    {"events.k8s.io", {"events"}, {"create", "update", "patch"}},
};
/// Only for the object that bears the node's name.
const Rule kNodeItself[] = {
    {"", {"nodes", "nodes/status"}, {"update", "patch"}},
    {"coordination.k8s.io", {"leases"}, {"update", "patch", "delete"}},
};
/// Anybody who is authenticated, about itself.
const Rule kOneself[] = {
    {"authorization.k8s.io", {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}, {"create"}},
    {"authentication.k8s.io", {"selfsubjectreviews"}, {"create"}},
};

template <std::size_t N> bool any_grants(const Rule (&rules)[N], const Attributes &request) {
  return std::any_of(std::begin(rules), std::end(rules),
                     [&request](const Rule &rule) { return grants(rule, request); });
}

bool node_may(const std::string &node, const Attributes &request) {
  if (any_grants(kReading, request) || any_grants(kNodeAnywhere, request))
    return true;
  const bool lease = request.group == "coordination.k8s.io";
  return any_grants(kNodeItself, request) && request.name == node &&
         (!lease || request.namespace_ == "kube-node-lease");
}

bool begins_with(const std::string &path, std::string_view folder) {
  return path == folder || path.starts_with(std::string(folder) + "/");
}

bool path_allowed(const User &user, const Attributes &request) {
  for (const std::string_view open : {"/healthz", "/livez", "/readyz", "/version"})
    if (begins_with(request.path, open))
      return request.verb == "get";
  if (!user.in_group("system:authenticated") || request.verb != "get")
    return false;
  return begins_with(request.path, "/api") || begins_with(request.path, "/apis") ||
         begins_with(request.path, "/openapi") || request.path == "/";
}

} // namespace

bool User::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string node_of(const User &user) {
  if (!user.in_group("system:nodes") || !user.name.starts_with(kNodePrefix))
    return {};
  return user.name.substr(kNodePrefix.size());
}

bool allowed(const User &user, const Attributes &request) {
  if (user.in_group("system:masters"))
    return true;
  if (!request.path.empty())
    return path_allowed(user, request);
  if (user.in_group("system:authenticated") && any_grants(kOneself, request))
    return true;
  if (const auto node = node_of(user); !node.empty())
    return node_may(node, request);
  if (user.name == "system:kube-proxy")
    return any_grants(kProxy, request);
  return user.in_group("system:serviceaccounts") && any_grants(kReading, request);
}

std::string denial(const User &user, const Attributes &request) {
  std::string text = "User \"" + user.name + "\" cannot " + request.verb;
  if (!request.path.empty())
    return text + " path \"" + request.path + "\"";
  text += " resource \"" + resource_of(request) + "\" in API group \"" + request.group + "\"";
  return text + (request.namespace_.empty() ? " at the cluster scope"
                                            : " in the namespace \"" + request.namespace_ + "\"");
}

} // namespace sluice::controlplane
