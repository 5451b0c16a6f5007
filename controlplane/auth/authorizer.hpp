#pragma once
// What a user may do. A fixed set of rules with the shape of RBAC; pure.

#include "controlplane/auth/user.hpp"

namespace sluice::controlplane {

/// True if `user` may do it:
///   - group system:masters: everything;
///   - anybody: /healthz, /livez, /readyz, /version; who is authenticated: discovery and reviews of
///     itself;
///   - group system:nodes with the name system:node:<node>: read what agents need; write its own
///     Node and Lease; events; status and deletion of pods; tokens of service accounts. That a
///     pod is one of its own is checked where the pod is at hand (api/node_restriction.hpp);
///   - user system:kube-proxy: what the ClusterRole system:node-proxier grants;
///   - group system:serviceaccounts: read services, endpointslices, endpoints, pods, nodes,
///     namespaces, networkpolicies, servicecidrs, configmaps, serviceaccounts, leases; write
///     events.
bool allowed(const User &user, const Attributes &request);

/// The node name of a node's user, or "".
std::string node_of(const User &user);

/// The sentence of the 403: `User "x" cannot list resource "pods" in API group "" in the namespace
/// "y"`, or `... at the cluster scope`, or `User "x" cannot get path "/metrics"`.
std::string denial(const User &user, const Attributes &request);

} // namespace sluice::controlplane
