#pragma once
// The load-balancing table, kept up to date: a change of one Service costs O(that Service).

#include "proxy/model/backend_sets.hpp"
#include "proxy/model/endpoint_tracker.hpp"
#include "proxy/model/frontends.hpp"

namespace sluice::proxy {

/// Whether a data plane can realise a frontend; what it cannot is not in the table. May take from
/// the frontend what the data plane cannot do and the Service can do without.
using FrontendFilter = std::function<bool(const Frontend &, FrontendInfo &)>;

/// Not thread-safe. The table's backend set ids depend on history; everything else depends only on
/// the Services, their endpoints and the node.
class TableBuilder {
public:
  /// An empty `supported` supports everything.
  TableBuilder(Family family, FrontendFilter supported);
  TableBuilder(const TableBuilder &) = delete;
  TableBuilder &operator=(const TableBuilder &) = delete;

  struct Sources {
    const Tracked<ServiceView> &services;
    const EndpointTracker &endpoints;
    const Topology &topology;
  };
  /// Builds these Services anew (a Service that is gone loses its frontends) and says what changed.
  TableDelta rebuild(const std::set<kube::ObjectKey> &services, const Sources &sources);
  /// Does not rebuild: frontends depend on parts of `node`, so call `rebuild` with every Service
  /// next if one of those changed.
  void set_node(NodeInfo node);

  const Table &table() const noexcept { return table_; }

private:
  /// Who may have a frontend that two Services ask for: the smaller one.
  using Claim = std::pair<std::uint8_t, ServicePortName>;
  struct BuiltPort {
    std::string port;
    Protocol protocol = Protocol::tcp;
    std::vector<std::pair<Frontend, FrontendKind>> frontends;
    BackendSetId cluster, local;
  };
  struct PlannedPort {
    ServicePortName name;
    Selection selection;
    std::vector<FrontendPlan> plans;
  };

  std::vector<PlannedPort> plan(const kube::ObjectKey &key, const Sources &sources) const;
  void build(const kube::ObjectKey &key, std::vector<PlannedPort> ports,
             const std::vector<BuiltPort> &previous);
  BuiltPort build_port(PlannedPort port, const BuiltPort *previous);
  void release(const kube::ObjectKey &key, const std::vector<BuiltPort> &ports);
  void claim(const Frontend &frontend, FrontendInfo info);
  void withdraw(const Frontend &frontend, const Claim &claim);
  void remember(const Frontend &frontend);
  void finish_frontends(TableDelta &delta);

  FrontendFilter supported_;
  Table table_;
  BackendSets sets_{table_.backendSets};
  std::map<kube::ObjectKey, std::vector<BuiltPort>> built_;
  std::map<Frontend, std::map<Claim, FrontendInfo>> losers_;
  std::map<Frontend, std::optional<FrontendInfo>> before_; ///< what this round changed
  bool node_changed_ = false;
};

} // namespace sluice::proxy
