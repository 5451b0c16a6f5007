#pragma once
// Who makes a request: a client certificate, else a bearer token, else nobody.

#include "controlplane/auth/tokens.hpp"
#include "controlplane/auth/user.hpp"
#include "controlplane/registry/registry.hpp"
#include "kube/http/server.hpp"

namespace sluice::controlplane {

/// 401 if there is a token and it is not valid. Without any credentials the user is
/// system:anonymous, whom the authorizer lets see health and version only.
ApiResult<User> authenticate(const kube::http::Request &request, const Registry &registry,
                             const TokenIssuer &tokens);

/// The service account of a token; 401 unless the account (and the pod, if it is bound to one)
/// still exists with the same uid.
ApiResult<User> authenticate_token(std::string_view token, const Registry &registry,
                                   const TokenIssuer &tokens);

} // namespace sluice::controlplane
