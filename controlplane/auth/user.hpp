#pragma once
// Who makes a request, and what it wants to do.

#include <map>
#include <string>
#include <vector>

namespace sluice::controlplane {

struct User {
  std::string name, uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  bool in_group(std::string_view group) const;
};

/// What the authorizer decides about. For a path that is no resource (`/version`), `path` is set
/// and the rest is empty.
struct Attributes {
  std::string verb; ///< get list watch create update patch delete deletecollection
  std::string group, version, resource, subresource, namespace_, name;
  std::string path;
};

} // namespace sluice::controlplane
