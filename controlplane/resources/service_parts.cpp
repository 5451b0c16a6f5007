#include "controlplane/resources/service_parts.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using PortKey = std::pair<std::string, std::int64_t>;

PortKey key_of(const json &port) { return {text(port, "protocol", "TCP"), number(port, "port")}; }

json *ports_of(json &spec) {
  auto *ports = find(spec, "ports");
  return ports != nullptr && ports->is_array() ? ports : nullptr;
}

} // namespace

bool needs_cluster_ip(const json &spec) { return text(spec, "type") != "ExternalName"; }

bool is_headless(const json &spec) { return text(spec, "clusterIP") == "None"; }

bool needs_node_port(const json &spec) {
  const auto type = text(spec, "type");
  return type == "NodePort" ||
         (type == "LoadBalancer" && flag(spec, "allocateLoadBalancerNodePorts", true));
}

bool needs_health_check_node_port(const json &spec) {
  return text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local";
}

void keep_node_ports(json &spec, const json &old_spec) {
  std::map<PortKey, std::int64_t> known;
  std::set<std::int64_t> taken;
  for (const auto &port : list(old_spec, "ports"))
    known[key_of(port)] = number(port, "nodePort");
  auto *ports = ports_of(spec);
  if (ports == nullptr)
    return;
  for (const auto &port : *ports)
    taken.insert(number(port, "nodePort"));
  for (auto &port : *ports) {
    const auto old = known.find(key_of(port));
    if (port.is_object() && number(port, "nodePort") == 0 && old != known.end() &&
        old->second != 0 && taken.count(old->second) == 0)
      port["nodePort"] = old->second;
  }
}

void drop_node_ports(json &spec, const json &old_spec) {
  std::set<std::int64_t> known;
  for (const auto &port : list(old_spec, "ports"))
    known.insert(number(port, "nodePort"));
  auto *ports = ports_of(spec);
  if (ports == nullptr)
    return;
  for (auto &port : *ports)
    if (port.is_object() && known.count(number(port, "nodePort")) != 0)
      port.erase("nodePort");
}

} // namespace sluice::controlplane
