#include "controlplane/auth/authenticator.hpp"

namespace sluice::controlplane {
namespace {

bool exists(const Registry &registry, std::string_view kind, const Key &key,
            const std::string &uid) {
  const auto *type = find_by_kind("v1", kind);
  if (!type)
    return false;
  const auto object = registry.get(*type, key);
  return object && (*object)->uid == uid;
}

User user_of(const TokenClaims &claims) {
  User user;
  user.name = "system:serviceaccount:" + claims.namespace_ + ":" + claims.serviceAccount;
  user.uid = claims.serviceAccountUid;
  user.groups = {"system:serviceaccounts", "system:serviceaccounts:" + claims.namespace_,
                 "system:authenticated"};
  user.extra["authentication.kubernetes.io/credential-id"] = {"JTI=" + claims.id};
  if (!claims.pod.empty()) {
    user.extra["authentication.kubernetes.io/pod-name"] = {claims.pod};
    user.extra["authentication.kubernetes.io/pod-uid"] = {claims.podUid};
  }
  return user;
}

} // namespace

ApiResult<User> authenticate_token(std::string_view token, const Registry &registry,
                                   const TokenIssuer &tokens) {
  const auto claims = tokens.verify(token, std::chrono::system_clock::now());
  if (!claims)
    return refuse(unauthorized());
  if (!exists(registry, "ServiceAccount", {claims->namespace_, claims->serviceAccount},
              claims->serviceAccountUid))
    return refuse(unauthorized());
  if (!claims->pod.empty() &&
      !exists(registry, "Pod", {claims->namespace_, claims->pod}, claims->podUid))
    return refuse(unauthorized());
  return user_of(*claims);
}

ApiResult<User> authenticate(const kube::http::Request &request, const Registry &registry,
                             const TokenIssuer &tokens) {
  constexpr std::string_view kBearer = "Bearer ";
  User user;
  if (!request.clientCommonName.empty()) {
    user.name = request.clientCommonName;
    user.groups = request.clientOrganizations;
    user.groups.emplace_back("system:authenticated");
    return user;
  }
  const auto header = request.header("authorization");
  if (header.starts_with(kBearer))
    return authenticate_token(header.substr(kBearer.size()), registry, tokens);
  user.name = "system:anonymous";
  user.groups = {"system:unauthenticated"};
  return user;
}

} // namespace sluice::controlplane
