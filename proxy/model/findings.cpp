#include "proxy/model/findings.hpp"

namespace sluice::proxy {
namespace {

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

bool has_hint(const Endpoint &endpoint, TopologyMode mode) {
  const auto &hints = endpoint.state.hints;
  return hints && !(mode == TopologyMode::same_node ? hints->nodes : hints->zones).empty();
}

/// Why no endpoint is chosen by hints although some have one.
std::string why_ignored(std::span<const Endpoint> endpoints, const Topology &topology) {
  const Endpoint *with = nullptr, *without = nullptr;
  for (const auto &endpoint : endpoints) {
    if (!endpoint.state.ready)
      continue;
    const bool hinted =
        has_hint(endpoint, TopologyMode::same_zone) || has_hint(endpoint, TopologyMode::same_node);
    const auto *&place = hinted ? with : without;
    place = place ? place : &endpoint;
  }
  if (!with)
    return "no ready endpoint has a hint";
  if (without)
    return "hints are ignored: ready endpoint " + without->address.str() + " has none";
  if (topology.zone.empty())
    return "hints are ignored: this node has no label topology.kubernetes.io/zone";
  return "hints are ignored: no ready endpoint is hinted for zone " + quoted(topology.zone) +
         " or node " + quoted(topology.nodeName);
}

bool is_local_list(FrontendKind kind, const ServiceView &service, SourceClass source) {
  return kind == FrontendKind::cluster_ip ? service.internalLocal
                                          : service.externalLocal && source == SourceClass::outside;
}

std::string list_reason(FrontendKind kind, const ServiceView &service, SourceClass source) {
  if (kind == FrontendKind::cluster_ip)
    return service.internalLocal ? "internalTrafficPolicy is Local"
                                 : "internalTrafficPolicy is Cluster";
  if (!service.externalLocal)
    return "externalTrafficPolicy is Cluster";
  if (source == SourceClass::outside)
    return "externalTrafficPolicy is Local";
  return "externalTrafficPolicy is Local, but a source on this node may go to any endpoint";
}

std::string cluster_ip_masquerade(const NodeInfo &node, SourceClass source) {
  if (node.masqueradeAll)
    return "masqueraded: masqueradeAll is set";
  if (node.localDetector.kind == LocalDetector::Kind::none)
    return "not masqueraded: nothing tells pods from others (detectLocalMode, clusterCIDR)";
  if (source == SourceClass::pod)
    return "not masqueraded: the source is a pod of this node, which the endpoint can answer";
  return "masqueraded: the source is no pod of this node, and the answer must come back here";
}

std::string external_masquerade(const ServiceView &service, SourceClass source) {
  if (!service.externalLocal)
    return "masqueraded: externalTrafficPolicy is Cluster, the endpoint may be on another node";
  if (source == SourceClass::node)
    return "masqueraded: the source is this node itself, whose address may be out of reach there";
  return source == SourceClass::pod
             ? "not masqueraded: the source is a pod of this node, which the endpoint can answer"
             : "not masqueraded: externalTrafficPolicy is Local, the endpoint sees the client";
}

void add_notes(const Table &table, const Flow &flow, const FrontendInfo &info,
               const Selection &selection, bool local_list, Findings &out) {
  const auto &packet = out.packet;
  const bool drains = local_list ? selection.localDrains : selection.clusterDrains;
  if (drains)
    out.notes.push_back("no endpoint is ready; those that terminate and still serve are used");
  if (packet.verdict == "drop" && selection.hasAny && packet.backends.empty() &&
      info.source_ranges.empty())
    out.notes.push_back("DROP and not REJECT: an endpoint exists elsewhere, so a load balancer "
                        "tries another node instead of failing the client");
  if (info.affinity)
    out.notes.push_back("session affinity ClientIP: a client keeps its endpoint for " +
                        std::to_string(info.affinity->count()) + " s after its last connection");
  if (!packet.masquerade &&
      std::any_of(packet.backends.begin(), packet.backends.end(),
                  [&](const Backend &backend) { return backend.address.ip == flow.source; }))
    out.notes.push_back(
        "masqueraded if the endpoint that is picked is the source itself (hairpin)");
  if (info.kind != FrontendKind::cluster_ip &&
      table.node.localDetector.kind == LocalDetector::Kind::none)
    out.notes.push_back("nothing tells pods from others (detectLocalMode, clusterCIDR): pods count "
                        "as outside");
}

} // namespace

TopologyFinding find_topology(std::span<const Endpoint> endpoints, const Topology &topology) {
  TopologyFinding found{topology_mode(endpoints, topology), ""};
  switch (found.mode) {
  case TopologyMode::same_node:
    found.reason =
        "every ready endpoint is hinted for a node, some for " + quoted(topology.nodeName);
    break;
  case TopologyMode::same_zone:
    found.reason = "every ready endpoint is hinted for a zone, some for " + quoted(topology.zone);
    break;
  case TopologyMode::none:
    found.reason = why_ignored(endpoints, topology);
    break;
  }
  return found;
}

Findings find_out(const Table &table, const Flow &flow, const ServiceView &service,
                  const ServicePortView &port, std::span<const Endpoint> endpoints,
                  const Topology &topology) {
  Findings out;
  out.packet = trace(table, flow);
  out.source = source_class(table.node, flow);
  const auto &info = table.frontends.at(*out.packet.frontend);
  const bool local_list = is_local_list(info.kind, service, out.source);
  out.list = local_list ? "local" : "cluster";
  out.list_reason = list_reason(info.kind, service, out.source);
  if (out.packet.verdict == "translate")
    out.masquerade_reason = info.kind == FrontendKind::cluster_ip
                                ? cluster_ip_masquerade(table.node, out.source)
                                : external_masquerade(service, out.source);
  out.topology = find_topology(endpoints, topology);
  if (local_list)
    out.topology.reason = "hints never count for the endpoints of this node alone";
  const auto selection =
      select(endpoints, {service.uses_cluster_endpoints(port), service.uses_local_endpoints(port)},
             topology);
  for (const auto &endpoint : endpoints) {
    auto why = reason_left_out(endpoint, local_list, selection, topology);
    const bool used = why.empty();
    out.endpoints.push_back({endpoint, used, std::move(why)});
  }
  add_notes(table, flow, info, selection, local_list, out);
  return out;
}

std::string words_of(TopologyMode mode) {
  switch (mode) {
  case TopologyMode::same_node:
    return "same node";
  case TopologyMode::same_zone:
    return "same zone";
  case TopologyMode::none:
    break;
  }
  return "none";
}

} // namespace sluice::proxy
