#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {

ResourceType service_account_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "ServiceAccount";
  type.plural = "serviceaccounts";
  type.singular = "serviceaccount";
  type.shortNames = {"sa"};
  type.subresources = {{"token", "TokenRequest", "authentication.k8s.io", "v1", {"create"}}};
  type.columns = {name_column(), {"Secrets"}, age_column()};
  type.cells = [](const json &object, SystemTime now) {
    return json::array({text(object, "metadata.name"), list(object, "secrets").size(),
                        age(object, "metadata.creationTimestamp", now)});
  };
  type.list_merge = list_merges({{"secrets", "name"}});
  use_schema(type, R"({
    "secrets": ["@objectReference"], "imagePullSecrets": [{"name": "string"}],
    "automountServiceAccountToken": "bool"})");
  return type;
}

} // namespace sluice::controlplane
