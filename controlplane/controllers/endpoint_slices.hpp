#pragma once
// Which EndpointSlices a Service should have (KEP-752), and the fewest writes from those that it
// has. Pure.

#include "kube/objects.hpp"

namespace sluice::controlplane {

struct SlicePlan {
  std::vector<kube::EndpointSlice> create; ///< without a name, with generateName
  std::vector<kube::EndpointSlice> update; ///< whole new states of existing ones
  std::vector<std::string> remove;
  bool empty() const noexcept { return create.empty() && update.empty() && remove.empty(); }
};

constexpr std::size_t kMaxEndpointsPerSlice = 100;
constexpr const char *kSliceManager = "endpointslice-controller.k8s.io";

/// `pods`: those of the service's namespace that its selector takes, in any order. `zones`: the
/// zone of every existing node (empty if it has none); a pod on a node that is missing there is
/// left out. `existing`: the slices of this service that the controller manages, in name order.
/// A service without a selector, or an ExternalName, should have none.
SlicePlan plan_slices(const kube::Service &service, const std::vector<kube::Pod> &pods,
                      const std::map<std::string, std::string> &zones,
                      const std::vector<kube::EndpointSlice> &existing);

/// True if the selector is not empty and the labels have all of it.
bool selects(const kube::Labels &selector, const kube::Labels &labels);
bool is_headless(const kube::Service &service);

} // namespace sluice::controlplane
