#pragma once
// What the kinds of Service need, and the checks of service.cpp. Shared with the allocator.

#include "controlplane/resources/resource.hpp"

namespace sluice::controlplane {

// All of these take `spec` of a Service.
bool needs_cluster_ip(const json &spec); ///< every type but ExternalName
bool is_headless(const json &spec);      ///< clusterIP None
/// NodePort, and LoadBalancer unless allocateLoadBalancerNodePorts is false.
bool needs_node_port(const json &spec);
bool needs_health_check_node_port(const json &spec); ///< LoadBalancer with policy Local

/// Node ports of the same (protocol, port) in `old_spec` fill the empty ones of `spec`.
void keep_node_ports(json &spec, const json &old_spec);
/// Removes node ports that `old_spec` had already.
void drop_node_ports(json &spec, const json &old_spec);

FieldErrors validate_service(const json &object, const json *old);

} // namespace sluice::controlplane
