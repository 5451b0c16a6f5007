#pragma once
// One function per served kind; each builds its row of resource_types().

#include "controlplane/resources/resource.hpp"

namespace sluice::controlplane {

ResourceType config_map_type();
ResourceType endpoints_type();
ResourceType endpoint_slice_type();
ResourceType event_type();        ///< core/v1, the stored one
ResourceType events_event_type(); ///< events.k8s.io/v1, another spelling of the same objects
ResourceType lease_type();
ResourceType namespace_type();
ResourceType network_policy_type();
ResourceType node_type();
ResourceType pod_type();
ResourceType service_account_type();
ResourceType service_cidr_type(); ///< read only
ResourceType service_type();

/// The rules of metadata that every kind has, then `own`: pairs of path and key; an empty key is a
/// set of plain values.
using MergeKeys = std::vector<std::pair<std::string_view, std::string_view>>;
std::function<ListMerge(std::string_view)> list_merges(MergeKeys own = {});

} // namespace sluice::controlplane
