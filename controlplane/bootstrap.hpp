#pragma once
// The objects that every cluster has from its first moment.

#include "controlplane/registry/registry.hpp"
#include "net/ip_address.hpp"

namespace sluice::controlplane {

/// default, kube-system, kube-public, kube-node-lease.
Result<> ensure_namespaces(Registry &registry);

/// The Service default/kubernetes with the first address of each service network, and its
/// EndpointSlices: `endpoints`, TCP `port`. Slices of a family without an endpoint are removed.
Result<> ensure_kubernetes_service(Registry &registry, const std::vector<Cidr> &service_networks,
                                   const std::vector<IpAddress> &endpoints, std::uint16_t port);

/// The ServiceCIDR "kubernetes" with these networks.
Result<> ensure_service_cidr(Registry &registry, const std::vector<Cidr> &service_networks);

/// The first address that a Service may have: 10.96.0.1 of 10.96.0.0/16.
IpAddress first_service_address(const Cidr &network);

} // namespace sluice::controlplane
