#include "proxy/json.hpp"

#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

using nlohmann::json;

json to_json(const Backend &backend) {
  json out = {{"address", backend.address.str()}, {"local", backend.local}};
  if (backend.terminating)
    out["terminating"] = true;
  return out;
}

json to_json(const BackendSet &set) {
  json out = json::array();
  for (const auto &backend : set)
    out.push_back(to_json(backend));
  return out;
}

json to_json(const TrafficPath &path) {
  json out = {{"backends", path.backends.value}, {"masquerade", path.masquerade}};
  if (path.backends.value == 0)
    out["whenEmpty"] = path.whenEmpty == WhenEmpty::drop ? "drop" : "reject";
  return out;
}

const char *name_of(FrontendKind kind) {
  switch (kind) {
  case FrontendKind::cluster_ip:
    return "ClusterIP";
  case FrontendKind::external_ip:
    return "ExternalIP";
  case FrontendKind::load_balancer:
    return "LoadBalancer";
  case FrontendKind::node_port:
    break;
  }
  return "NodePort";
}

template <class List> json texts(const List &list) {
  json out = json::array();
  for (const auto &item : list)
    out.push_back(item.str());
  return out;
}

json to_json(const Frontend &frontend, const FrontendInfo &info) {
  json out = {{"frontend", frontend.str()},          {"kind", name_of(info.kind)},
              {"service", info.service.str()},       {"fromPod", to_json(info.from_pod)},
              {"fromNode", to_json(info.from_node)}, {"fromOutside", to_json(info.from_outside)}};
  if (info.affinity)
    out["affinitySeconds"] = info.affinity->count();
  if (!info.source_ranges.empty())
    out["sourceRanges"] = texts(info.source_ranges);
  return out;
}

json to_json(const LocalDetector &detector) {
  switch (detector.kind) {
  case LocalDetector::Kind::cidr:
    return {{"cidrs", texts(detector.cidrs)}};
  case LocalDetector::Kind::interface_name:
    return {{"interface", detector.interface}};
  case LocalDetector::Kind::interface_prefix:
    return {{"interfacePrefix", detector.interface}};
  case LocalDetector::Kind::none:
    break;
  }
  return nullptr;
}

json to_json(const NodeInfo &node) {
  return {{"localDetector", to_json(node.localDetector)},
          {"masqueradeAll", node.masqueradeAll},
          {"masqueradeBit", node.masqueradeBit},
          {"nodePortAddresses", texts(node.nodePortAddresses)},
          {"anyNodePortAddress", node.anyNodePortAddress},
          {"serviceCidrs", texts(node.serviceCidrs)},
          {"nodeAddresses", texts(node.nodeAddresses)}};
}

Result<IpAddress> address_of(const json &request, const char *key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_string())
    return fail(Errc::invalid_input, std::string("\"") + key + "\": an address is expected");
  SLUICE_ASSIGN(auto ip, IpAddress::parse(found->get_ref<const std::string &>()), key);
  return ip;
}

Result<Port> port_of(const json &request, const char *key, std::optional<Port> otherwise) {
  const auto found = request.find(key);
  if (found == request.end() && otherwise)
    return *otherwise;
  if (found == request.end() || !found->is_number_integer() || found->get<std::int64_t>() < 1 ||
      found->get<std::int64_t>() > 65535)
    return fail(Errc::invalid_input, std::string("\"") + key + "\": a port (1-65535) is expected");
  return Port{found->get<std::uint16_t>()};
}

} // namespace

json to_json(const Table &table) {
  json frontends = json::array(), sets = json::object();
  for (const auto &[frontend, info] : table.frontends)
    frontends.push_back(to_json(frontend, info));
  for (const auto &[id, set] : table.backendSets)
    sets[std::to_string(id.value)] = to_json(set);
  return {{"family", name_of(table.family)},
          {"node", to_json(table.node)},
          {"frontends", std::move(frontends)},
          {"backendSets", std::move(sets)}};
}

json to_json(const Explanation &explanation) {
  json out = {{"verdict", explanation.verdict},
              {"backends", to_json(explanation.backends)},
              {"masquerade", explanation.masquerade},
              {"reasons", explanation.reasons}};
  if (explanation.frontend)
    out["frontend"] = explanation.frontend->str();
  if (!explanation.objects.empty())
    out["objects"] = explanation.objects;
  return out;
}

json to_json(const EndpointFinding &finding) {
  const auto &state = finding.endpoint.state;
  json out = {{"address", finding.endpoint.address.str()},
              {"used", finding.used},
              {"local", state.local},
              {"ready", state.ready},
              {"serving", state.serving},
              {"terminating", state.terminating}};
  if (!finding.used)
    out["leftOut"] = finding.left_out;
  if (state.hints)
    out["hints"] = {{"zones", state.hints->zones}, {"nodes", state.hints->nodes}};
  return out;
}

json to_json(const Findings &findings) {
  auto out = to_json(findings.packet);
  out["source"] = words_of(findings.source);
  out["notes"] = findings.notes;
  if (!findings.packet.frontend)
    return out;
  out["list"] = findings.list;
  out["listReason"] = findings.list_reason;
  if (!findings.masquerade_reason.empty())
    out["masqueradeReason"] = findings.masquerade_reason;
  out["topology"] = {{"mode", words_of(findings.topology.mode)},
                     {"reason", findings.topology.reason}};
  out["endpoints"] = json::array();
  for (const auto &endpoint : findings.endpoints)
    out["endpoints"].push_back(to_json(endpoint));
  return out;
}

json to_json(const Flow &flow) {
  json out = {{"source", flow.source.str()},
              {"destination", flow.destination.str()},
              {"port", flow.destinationPort.value},
              {"protocol", name_of(flow.protocol)}};
  if (!flow.inInterface.empty())
    out["inInterface"] = flow.inInterface;
  return out;
}

Result<Flow> flow_from(const json &request) {
  Flow flow;
  SLUICE_ASSIGN(flow.source, address_of(request, "source"), "flow");
  SLUICE_ASSIGN(flow.destination, address_of(request, "destination"), "flow");
  SLUICE_ASSIGN(flow.destinationPort, port_of(request, "port", std::nullopt), "flow");
  SLUICE_ASSIGN(flow.sourcePort, port_of(request, "sourcePort", Port{32768}), "flow");
  if (flow.source.family() != flow.destination.family())
    return fail(Errc::invalid_input, "source and destination are of different families");
  if (const auto found = request.find("protocol"); found != request.end()) {
    if (!found->is_string())
      return fail(Errc::invalid_input, "\"protocol\": TCP, UDP or SCTP is expected");
    SLUICE_ASSIGN(flow.protocol, parse_protocol(found->get_ref<const std::string &>()), "flow");
  }
  if (const auto found = request.find("inInterface"); found != request.end() && found->is_string())
    flow.inInterface = found->get<std::string>();
  return flow;
}

} // namespace sluice::proxy
