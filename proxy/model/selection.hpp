#pragma once
// Which endpoints may serve: readiness, topology hints and traffic policies. Pure.
// Source: KEP-1669 (terminating endpoints), KEP-2433 (topology hints), KEP-2086
// (internalTrafficPolicy).

#include "proxy/model/endpoint.hpp"
#include "proxy/model/table.hpp"

#include <span>

namespace sluice::proxy {

/// Where this node is.
struct Topology {
  std::string nodeName, zone; ///< zone: label topology.kubernetes.io/zone, or empty
  friend bool operator==(const Topology &, const Topology &) = default;
};

/// How hints narrow the cluster-wide list.
enum class TopologyMode : std::uint8_t { none, same_zone, same_node };

/// Looks at ready endpoints alone; hints count only if every one of them has one.
TopologyMode topology_mode(std::span<const Endpoint> endpoints, const Topology &topology);

/// What a service port's policies ask for.
struct SelectionPolicy {
  bool usesCluster = true, usesLocal = false;
};

struct Selection {
  BackendSet cluster;  ///< any node, narrowed by hints
  BackendSet local;    ///< this node, hints never count
  bool hasAny = false; ///< somebody in the cluster could answer
  TopologyMode topology = TopologyMode::none;
  bool clusterDrains = false; ///< `cluster` holds terminating endpoints: no ready one is left
  bool localDrains = false;
};

/// `endpoints` sorted by address.
Selection select(std::span<const Endpoint> endpoints, const SelectionPolicy &policy,
                 const Topology &topology);

/// Why an endpoint is not in `selection`'s list (`local` or `cluster`); empty if it is.
std::string reason_left_out(const Endpoint &endpoint, bool local_list, const Selection &selection,
                            const Topology &topology);

} // namespace sluice::proxy
