#include "proxy/model/selection.hpp"

namespace sluice::proxy {
namespace {

bool holds(const std::vector<std::string> &names, const std::string &name) {
  return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
}

bool for_our_node(const EndpointState &state, const Topology &topology) {
  return state.hints && holds(state.hints->nodes, topology.nodeName);
}

bool for_our_zone(const EndpointState &state, const Topology &topology) {
  return state.hints && holds(state.hints->zones, topology.zone);
}

bool allowed(const EndpointState &state, TopologyMode mode, const Topology &topology) {
  switch (mode) {
  case TopologyMode::same_node:
    return for_our_node(state, topology);
  case TopologyMode::same_zone:
    return for_our_zone(state, topology);
  case TopologyMode::none:
    break;
  }
  return true;
}

template <class Predicate>
BackendSet backends_if(std::span<const Endpoint> endpoints, Predicate wanted) {
  BackendSet set;
  for (const auto &endpoint : endpoints)
    if (wanted(endpoint.state))
      set.push_back({endpoint.address, endpoint.state.local, endpoint.state.terminating});
  return set;
}

} // namespace

TopologyMode topology_mode(std::span<const Endpoint> endpoints, const Topology &topology) {
  bool any_ready = false, all_nodes = true, all_zones = true, our_node = false, our_zone = false;
  for (const auto &[address, state] : endpoints) {
    if (!state.ready)
      continue;
    any_ready = true;
    all_nodes = all_nodes && state.hints && !state.hints->nodes.empty();
    all_zones = all_zones && state.hints && !state.hints->zones.empty();
    our_node = our_node || for_our_node(state, topology);
    our_zone = our_zone || for_our_zone(state, topology);
  }
  if (any_ready && all_nodes && our_node)
    return TopologyMode::same_node;
  if (any_ready && all_zones && our_zone)
    return TopologyMode::same_zone;
  return TopologyMode::none;
}

Selection select(std::span<const Endpoint> endpoints, const SelectionPolicy &policy,
                 const Topology &topology) {
  Selection result;
  const auto draining = [](const EndpointState &state) { return state.draining(); };
  if (policy.usesCluster) {
    result.topology = topology_mode(endpoints, topology);
    result.cluster = backends_if(endpoints, [&](const EndpointState &state) {
      return state.ready && allowed(state, result.topology, topology);
    });
    if (result.cluster.empty()) {
      result.cluster = backends_if(endpoints, draining);
      result.clusterDrains = !result.cluster.empty();
    }
    result.hasAny = !result.cluster.empty();
  }
  if (policy.usesLocal) {
    result.hasAny = result.hasAny ||
                    std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint &endpoint) {
                      return endpoint.state.ready || endpoint.state.draining();
                    });
    result.local = backends_if(
        endpoints, [](const EndpointState &state) { return state.local && state.ready; });
    if (result.local.empty()) {
      result.local = backends_if(
          endpoints, [](const EndpointState &state) { return state.local && state.draining(); });
      result.localDrains = !result.local.empty();
    }
  }
  return result;
}

std::string reason_left_out(const Endpoint &endpoint, bool local_list, const Selection &selection,
                            const Topology &topology) {
  const auto &list = local_list ? selection.local : selection.cluster;
  const auto same = [&](const Backend &backend) { return backend.address == endpoint.address; };
  if (std::any_of(list.begin(), list.end(), same))
    return "";
  const auto &state = endpoint.state;
  if (!state.ready && !state.draining())
    return state.terminating ? "terminating and not serving any more" : "not ready";
  if (local_list && !state.local)
    return "on another node, and the traffic policy is Local";
  if (!state.ready)
    return "terminating, and ready endpoints are left";
  if (selection.topology == TopologyMode::same_node)
    return "hinted for other nodes than \"" + topology.nodeName + "\"";
  if (selection.topology == TopologyMode::same_zone)
    return "hinted for other zones than \"" + topology.zone + "\"";
  return "no path of the service port uses this list";
}

} // namespace sluice::proxy
