#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

void set_defaults(json &object) {
  if (!object.is_object())
    return;
  set_default(object, "endpoints", json::array());
  set_default(object, "ports", nullptr);
  auto *ports = find(object, "ports");
  if (ports == nullptr || !ports->is_array())
    return;
  for (auto &port : *ports) {
    set_default(port, "name", "");
    set_default(port, "protocol", "TCP");
  }
}

std::string address_problem(const std::string &type, const std::string &address) {
  if (type == "FQDN")
    return dns_subdomain_problem(address);
  const auto ip = IpAddress::parse(address);
  if (!ip)
    return ip_problem(address);
  if (name_of(ip->family()) != type)
    return "must be an " + type + " address";
  if (ip->is_unspecified())
    return "may not be unspecified (0.0.0.0 or ::)";
  if (ip->is_loopback())
    return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
  if (ip->is_link_local())
    return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
  if (ip->is_multicast())
    return "may not be in the multicast range (224.0.0.0/4, ff00::/8)";
  return "";
}

void check_endpoint(FieldChecker &errors, const json &endpoint, const std::string &type,
                    const std::string &field) {
  const auto addresses = texts(endpoint, "addresses");
  if (addresses.empty())
    errors.required(field + ".addresses", "must contain at least 1 address");
  if (addresses.size() > 100)
    errors.too_many(field + ".addresses", addresses.size(), 100);
  for (std::size_t i = 0; i < addresses.size(); ++i)
    errors.check(indexed(field + ".addresses", i), addresses[i],
                 address_problem(type, addresses[i]));
  const auto hostname = text(endpoint, "hostname");
  if (!hostname.empty())
    errors.check(field + ".hostname", hostname, dns_label_problem(hostname));
  const auto node = text(endpoint, "nodeName");
  if (!node.empty())
    errors.check(field + ".nodeName", node, dns_subdomain_problem(node));
  const auto zones = list(endpoint, "hints.forZones").size();
  if (zones > 8)
    errors.too_many(field + ".hints.forZones", zones, 8);
}

void check_ports(FieldChecker &errors, const json &ports) {
  std::set<std::string> names;
  if (ports.size() > 20000)
    errors.too_many("ports", ports.size(), 20000);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto field = indexed("ports", i);
    const auto name = text(ports[i], "name");
    if (!name.empty())
      errors.check(field + ".name", name, dns_label_problem(name));
    if (!names.insert(name).second)
      errors.duplicate(field + ".name", name);
    errors.one_of(ports[i], "protocol", field + ".protocol", {"SCTP", "TCP", "UDP"}, true);
    const json &port = at(ports[i], "port");
    if (!port.is_null())
      errors.check(field + ".port", port, port_number_problem(number(port, "")));
  }
}

FieldErrors validate(const json &object, const json *old) {
  FieldChecker errors;
  errors.one_of(object, "addressType", "addressType", {"IPv4", "IPv6", "FQDN"}, true);
  errors.immutable(object, old, "addressType");
  const auto &endpoints = list(object, "endpoints");
  if (endpoints.size() > 1000)
    errors.too_many("endpoints", endpoints.size(), 1000);
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    check_endpoint(errors, endpoints[i], text(object, "addressType"), indexed("endpoints", i));
  check_ports(errors, list(object, "ports"));
  return errors.take();
}

std::string port_text(const json &port) {
  if (at(port, "port").is_number_integer())
    return std::to_string(number(port, "port"));
  const auto name = text(port, "name");
  return name.empty() ? "*" : name;
}

json cells(const json &object, SystemTime now) {
  std::vector<std::string> ports, addresses;
  for (const auto &port : list(object, "ports"))
    ports.push_back(port_text(port));
  for (const auto &endpoint : list(object, "endpoints"))
    for (auto &address : texts(endpoint, "addresses"))
      addresses.push_back(std::move(address));
  return json::array({text(object, "metadata.name"), text(object, "addressType"),
                      joined_or(ports, "<unset>", 3), joined_or(addresses, "<unset>", 3),
                      age(object, "metadata.creationTimestamp", now)});
}

} // namespace

ResourceType endpoint_slice_type() {
  ResourceType type;
  type.group = "discovery.k8s.io";
  type.version = "v1";
  type.kind = "EndpointSlice";
  type.plural = "endpointslices";
  type.singular = "endpointslice";
  type.set_defaults = set_defaults;
  type.validate = validate;
  type.columns = {name_column(), {"AddressType"}, {"Ports"}, {"Endpoints"}, age_column()};
  type.cells = cells;
  type.list_merge = list_merges();
  use_schema(type, R"({
    "addressType": "string",
    "endpoints": [{
      "addresses": ["string"],
      "conditions": {"ready": "bool", "serving": "bool", "terminating": "bool"},
      "hostname": "string", "targetRef": "@objectReference", "deprecatedTopology": "map",
      "nodeName": "string", "zone": "string",
      "hints": {"forZones": [{"name": "string"}], "forNodes": [{"name": "string"}]}}],
    "ports": [{"name": "string", "protocol": "string", "port": "int", "appProtocol": "string"}]})");
  return type;
}

} // namespace sluice::controlplane
