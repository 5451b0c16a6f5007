#include "proxy/cases/statement.hpp"

#include <sstream>

namespace sluice::proxy::cases {
namespace {

Result<std::int32_t> number_of(const std::string &text) {
  SLUICE_ASSIGN(const auto port, parse_port(text), "number");
  return static_cast<std::int32_t>(port.value);
}

/// "name/TCP/80", "name/TCP/80->8080", "name/TCP/80/30001".
Result<kube::ServicePort> service_port(const std::string &text) {
  const auto parts = split(text, '/');
  if (parts.size() < 3)
    return fail(Errc::invalid_input, "\"" + text + "\" is no name/PROTOCOL/port");
  kube::ServicePort port;
  port.name = parts[0];
  SLUICE_ASSIGN(port.protocol, parse_protocol(parts[1]), text);
  const auto arrow = parts[2].find("->");
  SLUICE_ASSIGN(port.port, number_of(parts[2].substr(0, arrow)), text);
  if (arrow != std::string::npos) {
    SLUICE_ASSIGN(port.targetPort.number, number_of(parts[2].substr(arrow + 2)), text);
  }
  if (parts.size() > 3) {
    SLUICE_ASSIGN(port.nodePort, number_of(parts[3]), text);
  }
  return port;
}

Result<kube::TrafficPolicy> policy_of(const std::string &text) {
  if (text == "Local")
    return kube::TrafficPolicy::Local;
  if (text == "Cluster")
    return kube::TrafficPolicy::Cluster;
  return fail(Errc::invalid_input, "\"" + text + "\" is no traffic policy");
}

Result<kube::ServiceType> type_of(const std::string &text) {
  if (text == "ClusterIP")
    return kube::ServiceType::ClusterIP;
  if (text == "NodePort")
    return kube::ServiceType::NodePort;
  if (text == "LoadBalancer")
    return kube::ServiceType::LoadBalancer;
  if (text == "ExternalName")
    return kube::ServiceType::ExternalName;
  return fail(Errc::invalid_input, "\"" + text + "\" is no type of Services");
}

kube::Labels labels_of(const std::string &text) {
  kube::Labels labels;
  for (const auto &entry : split(text, ',')) {
    const auto colon = entry.find(':');
    labels[entry.substr(0, colon)] = colon == std::string::npos ? "" : entry.substr(colon + 1);
  }
  return labels;
}

Result<> set_detector(NodeOptions &options, const std::string &value, const ReadCidrs &cidrs) {
  const auto colon = value.find(':');
  const auto kind = value.substr(0, colon);
  const auto what = colon == std::string::npos ? "" : value.substr(colon + 1);
  options.clusterCidrs.clear();
  options.interface.clear();
  if (kind == "ClusterCIDR") {
    options.detectLocal = DetectLocalMode::cluster_cidr;
    options.clusterCidrs = cidrs(what);
  } else if (kind == "NodeCIDR") {
    options.detectLocal = DetectLocalMode::node_cidr;
  } else if (kind == "BridgeInterface") {
    options.detectLocal = DetectLocalMode::bridge_interface;
    options.interface = what;
  } else if (kind == "InterfaceNamePrefix") {
    options.detectLocal = DetectLocalMode::interface_name_prefix;
    options.interface = what;
  } else {
    return fail(Errc::invalid_input, "\"" + kind + "\" is no detectLocalMode");
  }
  return {};
}

/// "p[1-3]/TCP/[1-3]": once for each number.
void expand(const std::string &text, std::vector<std::string> &out) {
  const auto open = text.find('[');
  if (open == std::string::npos) {
    out.push_back(text);
    return;
  }
  const auto close = text.find(']', open);
  const auto range = text.substr(open, close - open + 1);
  const auto dash = range.find('-');
  const int last = std::atoi(range.c_str() + dash + 1);
  for (int i = std::atoi(range.c_str() + 1); i <= last; ++i) {
    auto one = text;
    for (auto at = one.find(range); at != std::string::npos; at = one.find(range))
      one.replace(at, range.size(), std::to_string(i));
    out.push_back(std::move(one));
  }
}

} // namespace

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  if (text == "-")
    return parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);)
    if (separator == ',')
      expand(part, parts);
    else
      parts.push_back(part);
  return parts;
}

Result<std::vector<std::pair<std::string, std::string>>>
settings_of(const std::vector<std::string> &words, std::size_t first) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (auto i = first; i < words.size(); ++i) {
    const auto equal = words[i].find('=');
    if (equal == std::string::npos)
      return fail(Errc::invalid_input, "\"" + words[i] + "\" is no key=value");
    settings.emplace_back(words[i].substr(0, equal), words[i].substr(equal + 1));
  }
  return settings;
}

Result<> set_plain_field(kube::Service &service, const std::string &key, const std::string &value) {
  if (key == "type") {
    SLUICE_ASSIGN(service.type, type_of(value), key);
  } else if (key == "ports") {
    service.ports.clear();
    for (const auto &text : split(value, ',')) {
      SLUICE_ASSIGN(auto port, service_port(text), key);
      service.ports.push_back(std::move(port));
    }
  } else if (key == "externalTrafficPolicy") {
    SLUICE_ASSIGN(service.externalTrafficPolicy, policy_of(value), key);
  } else if (key == "internalTrafficPolicy") {
    SLUICE_ASSIGN(service.internalTrafficPolicy, policy_of(value), key);
  } else if (key == "affinity") {
    service.sessionAffinityClientIP = value != "None";
    service.affinityTimeoutSeconds = value == "None" ? 0 : std::atoi(value.c_str());
  } else if (key == "labels") {
    service.metadata.labels = labels_of(value);
  } else {
    return fail(Errc::invalid_input, "a Service has no field \"" + key + "\" here");
  }
  return {};
}

Result<> set_slice_field(kube::EndpointSlice &slice, const std::string &key,
                         const std::string &value) {
  if (key == "service") {
    slice.metadata.labels["kubernetes.io/service-name"] = value;
  } else if (key == "namespace") {
    slice.metadata.namespace_ = value;
  } else if (key == "labels") {
    for (const auto &[name, text] : labels_of(value))
      slice.metadata.labels[name] = text;
  } else if (key == "unlabelled") {
    slice.metadata.labels.clear();
  } else if (key == "addressType") {
    slice.addressType = value;
  } else if (key == "ports") {
    slice.ports.clear();
    for (const auto &text : split(value, ',')) {
      SLUICE_ASSIGN(const auto port, service_port(text), key);
      const auto name = port.name == "null" ? std::nullopt : std::optional(port.name);
      slice.ports.push_back({name, port.protocol, port.port, ""});
    }
  } else {
    return fail(Errc::invalid_input, "an EndpointSlice has no field \"" + key + "\" here");
  }
  return {};
}

Result<> set_plain_node_field(kube::Node &node, NodeOptions &options, const std::string &key,
                              const std::string &value, const ReadCidrs &cidrs) {
  if (key == "name")
    node.metadata.name = value;
  else if (key == "zone" && value == "-")
    node.metadata.labels.clear();
  else if (key == "zone")
    node.metadata.labels["topology.kubernetes.io/zone"] = value;
  else if (key == "detector")
    return set_detector(options, value, cidrs);
  else if (key == "nodePortAddresses")
    options.nodePortAddresses = value == "primary" ? std::vector<Cidr>() : cidrs(value);
  else if (key == "localhostNodePorts")
    options.localhostNodePorts = value == "true";
  else if (key == "serviceCIDRs")
    options.serviceCidrs = cidrs(value);
  else if (key == "masqueradeAll")
    options.masqueradeAll = value == "true";
  else if (key == "masqueradeBit")
    options.masqueradeBit = static_cast<std::uint8_t>(std::atoi(value.c_str()));
  else
    return fail(Errc::invalid_input, "the node has no field \"" + key + "\" here");
  return {};
}

Result<> read_endpoint_marks(const std::string &marks, kube::SliceEndpoint &endpoint) {
  endpoint.conditions = {true, true, false};
  for (std::size_t at = 0; at < marks.size();) {
    const auto end = std::min(marks.find_first_of("/@%", at + 1), marks.size());
    const auto text = marks.substr(at + 1, end - at - 1);
    if (marks[at] == '@')
      for (const auto &zone : split(text, '+'))
        endpoint.hintZones.push_back("zone-" + zone);
    else if (marks[at] == '%')
      endpoint.hintNodes = split(text, '+');
    else if (text == "st")
      endpoint.conditions = {false, true, true};
    else if (text == "tn")
      endpoint.conditions = {false, false, true};
    else if (text == "unready")
      endpoint.conditions = {false, false, false};
    else if (text == "published")
      endpoint.conditions = {true, false, true};
    else if (text == "unconditional")
      endpoint.conditions = {};
    else
      return fail(Errc::invalid_input, "no condition is called \"" + text + "\"");
    at = end;
  }
  return {};
}

std::string answer_text(std::vector<Reached> reached) {
  std::sort(reached.begin(), reached.end());
  reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
  const auto masqueraded = [](const Reached &one) { return one.masqueraded; };
  const bool all = std::all_of(reached.begin(), reached.end(), masqueraded);
  const bool none = std::none_of(reached.begin(), reached.end(), masqueraded);
  std::string text;
  for (const auto &one : reached) {
    text += (text.empty() ? "" : ",") + one.name;
    if (!all && !none)
      text += one.masqueraded ? " M" : " nm";
  }
  return "{" + text + "}" + (all ? " M" : none ? " nm" : "");
}

std::optional<std::vector<Reached>> reached_of(const std::string &answer) {
  if (answer.empty() || answer[0] != '{')
    return std::nullopt;
  const auto close = answer.find('}');
  const bool all = answer.substr(std::min(close + 1, answer.size())) == " M";
  std::vector<Reached> reached;
  for (const auto &entry : split(answer.substr(1, close - 1), ',')) {
    const auto blank = entry.find(' ');
    const auto how = blank == std::string::npos ? "" : entry.substr(blank + 1);
    reached.push_back({entry.substr(0, blank), all || how == "M"});
  }
  return reached;
}

} // namespace sluice::proxy::cases
