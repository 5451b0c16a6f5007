#pragma once
// The frontends of one service port and what each does with each class of sources. Pure.

#include "proxy/model/selection.hpp"
#include "proxy/model/service_view.hpp"

namespace sluice::proxy {

/// Which of the two lists of a Selection a path uses.
enum class EndpointList : std::uint8_t { cluster, local };

/// A frontend whose backend sets have no ids yet.
struct FrontendPlan {
  Frontend frontend;
  FrontendInfo info; ///< complete but for the ids of its paths
  EndpointList from_pod = EndpointList::cluster;
  EndpointList from_node = EndpointList::cluster;
  EndpointList from_outside = EndpointList::cluster;
};

/// In order of kind, then as the Service lists them.
std::vector<FrontendPlan> plan_frontends(const kube::ObjectKey &service, const ServiceView &view,
                                         const ServicePortView &port, const Selection &selection,
                                         const NodeInfo &node);

} // namespace sluice::proxy
