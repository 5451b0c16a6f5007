#include "proxy/model/tracer.hpp"

namespace sluice::proxy {
namespace {

bool holds(const std::vector<IpAddress> &addresses, const IpAddress &ip) {
  return std::find(addresses.begin(), addresses.end(), ip) != addresses.end();
}

bool holds(const std::vector<Cidr> &ranges, const IpAddress &ip) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Cidr &range) { return range.contains(ip); });
}

bool is_pod(const LocalDetector &detector, const Flow &flow) {
  switch (detector.kind) {
  case LocalDetector::Kind::cidr:
    return holds(detector.cidrs, flow.source);
  case LocalDetector::Kind::interface_name:
    return !flow.inInterface.empty() && flow.inInterface == detector.interface;
  case LocalDetector::Kind::interface_prefix:
    return !flow.inInterface.empty() && flow.inInterface.rfind(detector.interface, 0) == 0;
  case LocalDetector::Kind::none:
    break;
  }
  return false;
}

bool accepts_node_ports(const NodeInfo &node, const Flow &flow) {
  const auto &ip = flow.destination;
  if (ip.is_loopback())
    return node.localhostNodePorts && flow.inInterface.empty();
  return holds(node.nodePortAddresses, ip) ||
         (node.anyNodePortAddress && holds(node.nodeAddresses, ip));
}

/// A service address wins over a nodePort.
const std::pair<const Frontend, FrontendInfo> *find(const Table &table, const Flow &flow) {
  auto found = table.frontends.find({flow.destination, flow.destinationPort, flow.protocol});
  if (found == table.frontends.end() && accepts_node_ports(table.node, flow))
    found = table.frontends.find({std::nullopt, flow.destinationPort, flow.protocol});
  return found == table.frontends.end() ? nullptr : &*found;
}

bool is_cluster_ip(const Table &table, const IpAddress &ip) {
  for (auto at = table.frontends.lower_bound({ip, Port{}, Protocol{}});
       at != table.frontends.end() && at->first.address == ip; ++at)
    if (at->second.kind == FrontendKind::cluster_ip)
      return true;
  return false;
}

Explanation without_frontend(const Table &table, const Flow &flow) {
  const auto to = flow.destination.str();
  if (is_cluster_ip(table, flow.destination))
    return {{}, {}, false, "reject", {to + " is the address of a Service that has no such port"}};
  if (holds(table.node.serviceCidrs, flow.destination))
    return {{},
            {},
            false,
            "drop",
            {to + " is in the range of service addresses, but no Service has it"}};
  return {{}, {}, false, "none", {to + " is no service address"}};
}

const TrafficPath &path_of(const FrontendInfo &info, SourceClass source) {
  switch (source) {
  case SourceClass::pod:
    return info.from_pod;
  case SourceClass::node:
    return info.from_node;
  case SourceClass::outside:
    break;
  }
  return info.from_outside;
}

void explain_backends(const Table &table, const Flow &flow, const TrafficPath &path,
                      Explanation &out) {
  if (path.backends.value == 0) {
    const bool drop = path.whenEmpty == WhenEmpty::drop;
    out.verdict = drop ? "drop" : "reject";
    out.reasons.push_back(drop ? "endpoints exist, but the traffic policy allows none here"
                               : "no endpoint can serve");
    return;
  }
  out.verdict = "translate";
  out.backends = table.backendSets.at(path.backends);
  out.masquerade = path.masquerade;
  if (path.masquerade)
    out.reasons.push_back("masqueraded: the answer must come back through this node");
  else if (std::any_of(out.backends.begin(), out.backends.end(),
                       [&](const Backend &backend) { return backend.address.ip == flow.source; }))
    out.reasons.push_back("masqueraded if the endpoint picked is " + flow.source.str() +
                          " itself (hairpin)");
}

} // namespace

std::string words_of(SourceClass source) {
  switch (source) {
  case SourceClass::pod:
    return "a pod of this node, as the local detector sees it";
  case SourceClass::node:
    return "this node itself";
  case SourceClass::outside:
    break;
  }
  return "neither a pod of this node nor the node";
}

std::string words_of(FrontendKind kind) {
  switch (kind) {
  case FrontendKind::cluster_ip:
    return "clusterIP";
  case FrontendKind::external_ip:
    return "externalIP";
  case FrontendKind::load_balancer:
    return "load balancer address";
  case FrontendKind::node_port:
    break;
  }
  return "nodePort";
}

SourceClass source_class(const NodeInfo &node, const Flow &flow) {
  if (is_pod(node.localDetector, flow))
    return SourceClass::pod;
  if (flow.inInterface.empty() || flow.source.is_loopback() ||
      holds(node.nodeAddresses, flow.source))
    return SourceClass::node;
  return SourceClass::outside;
}

Explanation trace(const Table &table, const Flow &flow) {
  const auto *found = find(table, flow);
  if (!found)
    return without_frontend(table, flow);
  const auto &[frontend, info] = *found;
  Explanation out;
  out.frontend = frontend;
  out.reasons.push_back(frontend.str() + " is the " + words_of(info.kind) + " of Service \"" +
                        info.service.str() + "\"");
  if (!info.source_ranges.empty() && !holds(info.source_ranges, flow.source)) {
    out.verdict = "drop";
    out.reasons.push_back(flow.source.str() + " is in none of loadBalancerSourceRanges");
    return out;
  }
  const auto source = source_class(table.node, flow);
  out.reasons.push_back("the source is " + words_of(source));
  if (info.affinity)
    out.reasons.push_back("session affinity: a client keeps its endpoint for " +
                          std::to_string(info.affinity->count()) + " s");
  explain_backends(table, flow, path_of(info, source), out);
  return out;
}

} // namespace sluice::proxy
