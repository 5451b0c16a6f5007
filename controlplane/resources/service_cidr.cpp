#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {

ResourceType service_cidr_type() {
  ResourceType type;
  type.group = "networking.k8s.io";
  type.version = "v1";
  type.kind = "ServiceCIDR";
  type.plural = "servicecidrs";
  type.singular = "servicecidr";
  type.namespaced = false;
  type.verbs = {"get", "list", "watch"}; // the ranges are those of --service-cidr
  type.columns = {name_column(), {"CIDRs"}, age_column()};
  type.cells = [](const json &object, SystemTime now) {
    std::string cidrs;
    for (const auto &cidr : list(object, "spec.cidrs"))
      cidrs += (cidrs.empty() ? "" : ",") + text(cidr, "");
    return json::array(
        {text(object, "metadata.name"), cidrs, age(object, "metadata.creationTimestamp", now)});
  };
  type.list_merge = list_merges();
  use_schema(type, R"({"spec": {"cidrs": ["string"]}})");
  return type;
}

} // namespace sluice::controlplane
