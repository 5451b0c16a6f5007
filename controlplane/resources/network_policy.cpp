#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

void set_defaults(json &object) {
  auto *spec = object_at(object, "spec");
  if (spec == nullptr)
    return;
  set_default(*spec, "podSelector", json::object());
  if (is_empty(*spec, "policyTypes")) {
    (*spec)["policyTypes"] = json::array({"Ingress"});
    if (!list(*spec, "egress").empty())
      (*spec)["policyTypes"].push_back("Egress");
  }
  for (const auto *direction : {"ingress", "egress"}) {
    auto *rules = find(*spec, direction);
    for (std::size_t i = 0; rules != nullptr && rules->is_array() && i < rules->size(); ++i) {
      auto *ports = find((*rules)[i], "ports");
      if (ports != nullptr && ports->is_array())
        for (auto &port : *ports)
          set_default_text(port, "protocol", "TCP");
    }
  }
}

void check_port(FieldChecker &errors, const json &port, const std::string &field) {
  errors.one_of(port, "protocol", field + ".protocol", {"SCTP", "TCP", "UDP"});
  const json &value = at(port, "port");
  if (value.is_number())
    errors.check(field + ".port", value, port_number_problem(number(value, "")));
  else if (value.is_string())
    errors.check(field + ".port", value, port_name_problem(text(value, "")));
  const json &end = at(port, "endPort");
  if (end.is_null())
    return;
  if (value.is_null())
    errors.invalid(field + ".endPort", end, "may not be specified when `port` is not specified");
  else if (value.is_string())
    errors.invalid(field + ".endPort", end, "may not be specified when `port` is non-numeric");
  else if (number(end, "") < number(value, ""))
    errors.invalid(field + ".endPort", end, "must be greater than or equal to `port`");
  else
    errors.check(field + ".endPort", end, port_number_problem(number(end, "")));
}

void check_ip_block(FieldChecker &errors, const json &block, const std::string &field) {
  const auto text_of_cidr = text(block, "cidr");
  if (text_of_cidr.empty()) {
    errors.required(field + ".cidr");
    return;
  }
  const auto cidr = Cidr::parse(text_of_cidr);
  errors.check(field + ".cidr", text_of_cidr, cidr_problem(text_of_cidr));
  const auto except = texts(block, "except");
  for (std::size_t i = 0; cidr && i < except.size(); ++i) {
    const auto place = indexed(field + ".except", i);
    const auto hole = Cidr::parse(except[i]);
    errors.check(place, except[i], cidr_problem(except[i]));
    if (hole && (!cidr->contains(*hole) || *cidr == *hole))
      errors.invalid(place, except[i], "must be a strict subset of `cidr`");
  }
}

void check_peer(FieldChecker &errors, const json &peer, const std::string &field) {
  int kinds = 0;
  for (const auto *selector : {"podSelector", "namespaceSelector"}) {
    const json &value = at(peer, selector);
    if (value.is_null())
      continue;
    ++kinds;
    check_label_selector(errors, value, field + "." + selector);
  }
  const json &block = at(peer, "ipBlock");
  if (!block.is_null()) {
    if (kinds > 0)
      errors.forbidden(field, "may not specify both ipBlock and another peer");
    ++kinds;
    check_ip_block(errors, block, field + ".ipBlock");
  }
  if (kinds == 0)
    errors.required(field, "must specify a peer");
}

void check_rules(FieldChecker &errors, const json &spec, const std::string &direction,
                 const std::string &peers_field) {
  const auto &rules = list(spec, direction);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto field = indexed("spec." + direction, i);
    const auto &ports = list(rules[i], "ports");
    for (std::size_t p = 0; p < ports.size(); ++p)
      check_port(errors, ports[p], indexed(field + ".ports", p));
    const auto &peers = list(rules[i], peers_field);
    for (std::size_t p = 0; p < peers.size(); ++p)
      check_peer(errors, peers[p], indexed(field + "." + peers_field, p));
  }
}

FieldErrors validate(const json &object, const json *) {
  FieldChecker errors;
  const json &spec = at(object, "spec");
  check_label_selector(errors, at(spec, "podSelector"), "spec.podSelector");
  check_rules(errors, spec, "ingress", "from");
  check_rules(errors, spec, "egress", "to");
  const auto types = texts(spec, "policyTypes");
  if (types.size() > 2)
    errors.invalid("spec.policyTypes", at(spec, "policyTypes"),
                   "may not specify more than two policyTypes");
  for (std::size_t i = 0; i < types.size(); ++i)
    if (types[i] != "Ingress" && types[i] != "Egress")
      errors.not_supported(indexed("spec.policyTypes", i), types[i], {"Egress", "Ingress"});
  return errors.take();
}

} // namespace

ResourceType network_policy_type() {
  ResourceType type;
  type.group = "networking.k8s.io";
  type.version = "v1";
  type.kind = "NetworkPolicy";
  type.plural = "networkpolicies";
  type.singular = "networkpolicy";
  type.shortNames = {"netpol"};
  type.set_defaults = set_defaults;
  type.validate = validate;
  type.columns = {name_column(), {"Pod-Selector"}, age_column()};
  type.cells = [](const json &object, SystemTime now) {
    return json::array({text(object, "metadata.name"),
                        selector_text(at(object, "spec.podSelector")),
                        age(object, "metadata.creationTimestamp", now)});
  };
  type.list_merge = list_merges();
  use_schema(type, R"({"spec": {
    "podSelector": "@labelSelector", "policyTypes": ["string"],
    "ingress": [{
      "ports": [{"protocol": "string", "port": "intstr", "endPort": "int"}],
      "from": [{"podSelector": "@labelSelector", "namespaceSelector": "@labelSelector",
        "ipBlock": {"cidr": "string", "except": ["string"]}}]}],
    "egress": [{
      "ports": [{"protocol": "string", "port": "intstr", "endPort": "int"}],
      "to": [{"podSelector": "@labelSelector", "namespaceSelector": "@labelSelector",
        "ipBlock": {"cidr": "string", "except": ["string"]}}]}]}})");
  return type;
}

} // namespace sluice::controlplane
