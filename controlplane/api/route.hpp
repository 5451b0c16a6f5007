#pragma once
// From method, path and query to what is asked for. Pure.

#include "controlplane/auth/user.hpp"
#include "controlplane/resources/resource.hpp"
#include "kube/http/server.hpp"

namespace sluice::controlplane {

/// "/api/v1/namespaces/default/pods/web/status" in parts.
struct Route {
  bool is_resource = false;
  std::string verb; ///< get list watch create update patch delete deletecollection
  std::string group, version, plural, namespace_, name, subresource;
  const ResourceType *type = nullptr; ///< nullptr: not a stored kind
  std::string path;

  Attributes attributes() const;
};

Route parse_route(const kube::http::Request &request);

/// "1", "true" (any case) and nothing else.
bool is_true(std::string_view text);

} // namespace sluice::controlplane
