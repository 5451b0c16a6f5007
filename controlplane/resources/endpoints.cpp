#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

void set_defaults(json &object) {
  auto *subsets = find(object, "subsets");
  if (subsets == nullptr || !subsets->is_array())
    return;
  for (auto &subset : *subsets) {
    auto *ports = find(subset, "ports");
    if (ports != nullptr && ports->is_array())
      for (auto &port : *ports)
        set_default_text(port, "protocol", "TCP");
  }
}

void check_subset(FieldChecker &errors, const json &subset, const std::string &field) {
  if (list(subset, "addresses").empty() && list(subset, "notReadyAddresses").empty())
    errors.required(field, "must specify `addresses` or `notReadyAddresses`");
  for (const auto *part : {"addresses", "notReadyAddresses"}) {
    const auto &addresses = list(subset, part);
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const auto ip = text(addresses[i], "ip");
      errors.check(indexed(field + "." + part, i) + ".ip", ip, ip_problem(ip));
    }
  }
  const auto &ports = list(subset, "ports");
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto place = indexed(field + ".ports", i);
    errors.check(place + ".port", at(ports[i], "port"),
                 port_number_problem(number(ports[i], "port")));
    errors.one_of(ports[i], "protocol", place + ".protocol", {"SCTP", "TCP", "UDP"});
    if (ports.size() > 1 && is_empty(ports[i], "name"))
      errors.required(place + ".name");
  }
}

FieldErrors validate(const json &object, const json *) {
  FieldChecker errors;
  const auto &subsets = list(object, "subsets");
  for (std::size_t i = 0; i < subsets.size(); ++i)
    check_subset(errors, subsets[i], indexed("subsets", i));
  return errors.take();
}

std::vector<std::string> socket_texts(const json &subset) {
  std::vector<std::string> result;
  for (const auto &address : list(subset, "addresses")) {
    const auto ip = text(address, "ip");
    const auto host = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
    for (const auto &port : list(subset, "ports"))
      result.push_back(host + ":" + std::to_string(number(port, "port")));
    if (list(subset, "ports").empty())
      result.push_back(ip);
  }
  return result;
}

json cells(const json &object, SystemTime now) {
  std::vector<std::string> sockets;
  for (const auto &subset : list(object, "subsets"))
    for (auto &socket : socket_texts(subset))
      sockets.push_back(std::move(socket));
  return json::array({text(object, "metadata.name"), joined_or(sockets, "<none>", 3),
                      age(object, "metadata.creationTimestamp", now)});
}

} // namespace

ResourceType endpoints_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "Endpoints";
  type.plural = "endpoints";
  type.singular = "endpoints";
  type.shortNames = {"ep"};
  type.set_defaults = set_defaults;
  type.validate = validate;
  type.columns = {name_column(), {"Endpoints"}, age_column()};
  type.cells = cells;
  type.list_merge = list_merges();
  use_schema(type, R"({"subsets": [{
    "addresses": [{"ip": "string", "hostname": "string", "nodeName": "string", "targetRef": "@objectReference"}],
    "notReadyAddresses": [{"ip": "string", "hostname": "string", "nodeName": "string", "targetRef": "@objectReference"}],
    "ports": [{"name": "string", "port": "int", "protocol": "string", "appProtocol": "string"}]}]})");
  return type;
}

} // namespace sluice::controlplane
