#include "controlplane/resources/kinds.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

template <class Predicate> const ResourceType *find_type(Predicate matches) {
  for (const auto &type : resource_types())
    if (matches(type))
      return &type;
  return nullptr;
}

} // namespace

const std::vector<ResourceType> &resource_types() {
  static const std::vector<ResourceType> types = {
      config_map_type(),      endpoints_type(),    event_type(),
      namespace_type(),       node_type(),         pod_type(),
      service_account_type(), service_type(),      lease_type(),
      endpoint_slice_type(),  events_event_type(), network_policy_type(),
      service_cidr_type(),
  };
  return types;
}

const ResourceType *find_by_plural(std::string_view group, std::string_view version,
                                   std::string_view plural) {
  return find_type([&](const ResourceType &type) {
    return type.plural == plural && type.group == group && type.version == version;
  });
}

const ResourceType *find_by_kind(std::string_view apiVersion, std::string_view kind) {
  return find_type([&](const ResourceType &type) {
    return type.kind == kind && type.api_version() == apiVersion;
  });
}

std::function<ListMerge(std::string_view)> list_merges(MergeKeys own) {
  own.emplace_back("metadata.ownerReferences", "uid");
  own.emplace_back("metadata.finalizers", "");
  return [keys = std::move(own)](std::string_view path) {
    for (const auto &[known, key] : keys)
      if (known == path)
        return ListMerge{key.empty() ? ListMerge::Strategy::merge_set
                                     : ListMerge::Strategy::merge_map,
                         std::string(key)};
    return ListMerge{};
  };
}

} // namespace sluice::controlplane
