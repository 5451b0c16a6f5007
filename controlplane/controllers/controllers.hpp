#pragma once
// Everything that keeps a cluster going without being asked: addresses for Services, podCIDRs,
// EndpointSlices, scheduling, namespaces, garbage, node health, the `kubernetes` Service.

#include "controlplane/controllers/pools.hpp"
#include "controlplane/registry/registry.hpp"

namespace sluice::controlplane {

struct ControllerSettings {
  std::vector<Cidr> clusterCidrs; ///< of the pods, at most one per family; empty: no podCIDRs
  unsigned nodeMaskIpv4 = 24, nodeMaskIpv6 = 64;
  std::vector<Cidr> serviceCidrs; ///< at most one per family, the default family first
  PortRange nodePorts;
  std::string rootCa; ///< PEM, for the ConfigMap kube-root-ca.crt; empty: none is made
  /// A node that has not renewed its lease for so long is Unknown.
  std::chrono::milliseconds nodeGracePeriod{40000};
  /// A Pod on a node that never existed is deleted after this.
  std::chrono::milliseconds orphanGracePeriod{40000};
};

/// Runs on one thread from construction to destruction. `start` adds the admission hook of the
/// Service allocator to the registry, so it comes before the first write, and nothing may be
/// written after the destructor. All state is in the registry: killed at any point, the next start
/// goes on.
class Controllers {
public:
  /// `registry` outlives this.
  static Result<std::unique_ptr<Controllers>> start(Registry &registry,
                                                    ControllerSettings settings);
  ~Controllers();
  Controllers(const Controllers &) = delete;
  Controllers &operator=(const Controllers &) = delete;

private:
  class Impl;
  explicit Controllers(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::controlplane
