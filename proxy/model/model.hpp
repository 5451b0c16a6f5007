#pragma once
// Everything that one IP family knows: Services, endpoints, the node, and the table made from them.

#include "proxy/model/findings.hpp"
#include "proxy/model/flow.hpp"
#include "proxy/model/table_builder.hpp"

namespace sluice::proxy {

/// One round's outcome.
struct ModelChange {
  TableDelta delta;
  std::set<kube::ObjectKey> services; ///< built anew
};

/// A UDP frontend and where flows to it may go.
struct FlowTarget {
  Frontend frontend;
  /// Of every endpoint that serves, whatever policy and topology say. Sorted.
  std::vector<SocketAddress> allowed;
  bool translates = false; ///< a new flow would be translated, at least from some source
  friend bool operator==(const FlowTarget &, const FlowTarget &) = default;
};

/// What a load balancer may ask this node about one Service (healthCheckNodePort).
struct ServiceHealth {
  Port port;
  std::size_t localEndpoints = 0; ///< addresses of ready endpoints on this node, each once
  friend bool operator==(const ServiceHealth &, const ServiceHealth &) = default;
};

/// Service ports that some endpoint could serve, but none of those that policy Local allows here.
struct LocalGaps {
  std::size_t internal = 0, external = 0; ///< by the traffic policy
  friend bool operator==(const LocalGaps &, const LocalGaps &) = default;
};

/// Not thread-safe. Does no I/O and knows no time.
class Model {
public:
  Model(Family family, std::string node_name, FrontendFilter supported = {});

  // Each says whether there is something new to sync.
  bool update(const kube::Service &service);
  bool remove_service(const kube::ObjectKey &key);
  bool update(const kube::EndpointSlice &slice);
  bool remove_slice(const kube::ObjectKey &key);
  bool set_node(const NodeInfo &node, const std::string &zone);

  /// Folds everything pending into the table. O(what changed); O(all) after a `set_node` that
  /// brought another zone, other node addresses or another way to masquerade.
  ModelChange sync();
  /// As of the last `sync`.
  const Table &table() const noexcept { return builder_.table(); }

  /// What the table does with a flow, and which endpoints are left out and why.
  Explanation explain(const Flow &flow) const;
  /// The same with everything that led to it. Without a frontend O(Services).
  Findings find_out(const Flow &flow) const;
  const Topology &topology() const noexcept { return topology_; }
  /// By namespace and name; nothing if it has no clusterIP of this family.
  const ServiceView *service(const kube::ObjectKey &key) const { return services_.find(key); }

  /// The UDP frontends that a Service has in the table. O(that Service).
  std::vector<FlowTarget> flow_targets(const kube::ObjectKey &service) const;
  /// Nothing if load balancers have nothing to ask about the Service.
  std::optional<ServiceHealth> service_health(const kube::ObjectKey &service) const;
  LocalGaps local_gaps(const kube::ObjectKey &service) const;
  /// In order.
  void each_service(
      const std::function<void(const kube::ObjectKey &, const ServiceView &)> &visit) const;

  Family family() const noexcept { return family_; }
  std::size_t pending_services() const noexcept { return services_.pending(); }
  std::size_t pending_endpoints() const noexcept { return endpoints_.pending(); }
  std::size_t service_count() const noexcept { return services_.all().size(); }
  std::size_t slice_count() const noexcept { return endpoints_.slice_count(); }
  std::size_t endpoint_count() const noexcept { return endpoints_.endpoint_count(); }

private:
  /// Those of a service port that it has in the table.
  void
  each_frontend(const kube::ObjectKey &service, const ServiceView &view,
                const ServicePortView &port,
                const std::function<void(const Frontend &, const FrontendInfo &)> &visit) const;
  Findings find_without_frontend(const Flow &flow) const;
  void explain_endpoints(const Flow &flow, const FrontendInfo &info, Explanation &out) const;

  Family family_;
  Topology topology_;
  Tracked<ServiceView> services_;
  EndpointTracker endpoints_;
  TableBuilder builder_;
  bool all_ = false; ///< the node changed: every Service is to be built anew
};

} // namespace sluice::proxy
