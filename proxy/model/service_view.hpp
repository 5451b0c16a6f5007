#pragma once
// What one IP family sees of one Service: parsed, canonical, and only what decides packets.

#include "kube/objects.hpp"

#include <compare>

namespace sluice::proxy {

struct ServicePortView {
  std::string name;
  Protocol protocol = Protocol::tcp;
  Port port, nodePort; ///< nodePort 0: none
  friend bool operator==(const ServicePortView &, const ServicePortView &) = default;
};

struct ServiceView {
  IpAddress clusterIP;
  std::vector<IpAddress> externalIPs;
  std::vector<IpAddress> loadBalancerIPs; ///< of status, ipMode VIP only
  std::vector<IpAddress> proxiedIPs;      ///< of status, ipMode Proxy: not ours to capture
  std::vector<Cidr> sourceRanges;         ///< empty: no filter (also if a /0 is among them)
  bool externalLocal = false;             ///< externalTrafficPolicy Local, where it counts
  bool internalLocal = false;             ///< internalTrafficPolicy Local
  std::optional<std::chrono::seconds> affinity;
  Port healthCheckNodePort; ///< 0: none
  std::vector<ServicePortView> ports;
  friend bool operator==(const ServiceView &, const ServiceView &) = default;

  bool externally_accessible(const ServicePortView &port) const noexcept {
    return port.nodePort.value != 0 || !loadBalancerIPs.empty() || !externalIPs.empty();
  }
  bool uses_cluster_endpoints(const ServicePortView &port) const noexcept {
    return !internalLocal || externally_accessible(port);
  }
  bool uses_local_endpoints(const ServicePortView &port) const noexcept {
    return internalLocal || (externalLocal && externally_accessible(port));
  }
};

/// Nothing if the proxy leaves the Service alone in this family: headless, ExternalName, no address
/// of the family. Text that does not parse is skipped, so that one bad field costs no more than
/// itself.
std::optional<ServiceView> view_of(const kube::Service &service, Family family);

/// "203.000.113.000/025" as Kubernetes once allowed it: blanks around it, leading zeros, host bits.
std::optional<Cidr> parse_cidr_sloppy(std::string_view text);

} // namespace sluice::proxy
