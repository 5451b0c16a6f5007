#pragma once
// Everything that one IP family knows: Services, endpoints, the node, and the table made from them.

#include "proxy/model/flow.hpp"
#include "proxy/model/table_builder.hpp"

namespace sluice::proxy {

/// One round's outcome.
struct ModelChange {
  TableDelta delta;
  std::size_t services = 0; ///< built anew
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

  /// Folds everything pending into the table. O(what changed); O(all) after `set_node`.
  ModelChange sync();
  /// As of the last `sync`.
  const Table &table() const noexcept { return builder_.table(); }

  /// What the table does with a flow, and which endpoints are left out and why.
  Explanation explain(const Flow &flow) const;

  Family family() const noexcept { return family_; }
  std::size_t pending_services() const noexcept { return services_.pending(); }
  std::size_t pending_endpoints() const noexcept { return endpoints_.pending(); }
  std::size_t service_count() const noexcept { return services_.all().size(); }
  std::size_t slice_count() const noexcept { return endpoints_.slice_count(); }
  std::size_t endpoint_count() const noexcept { return endpoints_.endpoint_count(); }

private:
  void explain_endpoints(const Flow &flow, const FrontendInfo &info, Explanation &out) const;

  Family family_;
  Topology topology_;
  Tracked<ServiceView> services_;
  EndpointTracker endpoints_;
  TableBuilder builder_;
  bool all_ = false; ///< the node changed: every Service is to be built anew
};

} // namespace sluice::proxy
