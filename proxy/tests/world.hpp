#pragma once
// The fixture of the case tables: nodes n1 (this one) and n2, a Service, endpoints by name.
//   L..L4 on n1, R..R2 on n2; "/st" serves its last connections, "/tn" does not, "/unready"
//   neither.

#include "proxy/model/model.hpp"

namespace sluice::proxy::test {

inline IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }
inline Cidr cidr(const char *text) { return Cidr::parse(text).value(); }

/// "L R2/st" to slice endpoints.
std::vector<kube::SliceEndpoint> endpoints_from(const std::string &text);
/// The name of the endpoint with this address, or the address.
std::string endpoint_name(const IpAddress &address);

/// n1 with detector ClusterCIDR 10.0.0.0/8 and every address accepting nodePorts.
NodeInfo node_n1();

/// ns1/svc1: LoadBalancer, p80 TCP 80, clusterIP 172.30.0.41, nodePort 3001, LB 1.2.3.4, external
/// 192.168.99.22.
kube::Service service_s();
kube::EndpointSlice slice_of(const kube::Service &service, const std::string &endpoints);

struct World {
  NodeInfo node = node_n1();
  std::string nodeName = "n1", zone = "zone-a";
  kube::Service service = service_s();
  std::vector<kube::EndpointSlice> slices{slice_of(service, "L R")};

  /// "P->C", "X->LB:81", "N->C/UDP": a source, a destination, a port and protocol if not TCP 80 (a
  /// nodePort brings its own).
  Flow flow(const std::string &text) const;
  /// "{L,R} nm", "{L} M", "REJECT", "DROP" or "none".
  std::string outcome(const std::string &flow_text) const;
  Explanation explain(const std::string &flow_text) const;
};

} // namespace sluice::proxy::test
