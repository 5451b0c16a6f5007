#pragma once
// spec.ipFamilies and spec.ipFamilyPolicy of a Service, from what the client said and what the
// cluster has (KEP-563). Pure.

#include "controlplane/resources/resource.hpp"
#include "net/ip_address.hpp"

namespace sluice::controlplane {

/// Fills in both fields (removes them for ExternalName) and brings clusterIPs into line when a
/// service goes from dual to single stack. `cluster`: the families with a service CIDR, the
/// default first. `old_spec` is nullptr for a new service.
FieldErrors default_service_families(json &spec, const json *old_spec,
                                     const std::vector<Family> &cluster);

} // namespace sluice::controlplane
