#include "controlplane/resources/access.hpp"
#include "controlplane/resources/service_parts.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

void check_target_port(FieldChecker &errors, const json &port, const std::string &field) {
  const json &target = at(port, "targetPort");
  if (target.is_number())
    errors.check(field, target, port_number_problem(number(target, "")));
  else if (target.is_string())
    errors.check(field, target, port_name_problem(text(target, "")));
}

void check_port(FieldChecker &errors, const json &port, bool name_required,
                const std::string &field) {
  const auto name = text(port, "name");
  if (name.empty() && name_required)
    errors.required(field + ".name");
  if (!name.empty())
    errors.check(field + ".name", name, dns_label_problem(name));
  errors.check(field + ".port", number(port, "port"), port_number_problem(number(port, "port")));
  errors.one_of(port, "protocol", field + ".protocol", {"SCTP", "TCP", "UDP"}, true);
  check_target_port(errors, port, field + ".targetPort");
  const auto application = text(port, "appProtocol");
  if (!application.empty())
    errors.check(field + ".appProtocol", application, qualified_name_problem(application));
}

void check_ports(FieldChecker &errors, const json &spec) {
  const auto &ports = list(spec, "ports");
  const auto type = text(spec, "type");
  if (ports.empty() && !is_headless(spec) && type != "ExternalName")
    errors.required("spec.ports");
  std::set<std::string> names;
  std::set<std::pair<std::string, std::int64_t>> sockets, node_ports;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto field = indexed("spec.ports", i);
    check_port(errors, ports[i], ports.size() > 1, field);
    const auto name = text(ports[i], "name"), protocol = text(ports[i], "protocol");
    if (!name.empty() && !names.insert(name).second)
      errors.duplicate(field + ".name", name);
    if (!sockets.emplace(protocol, number(ports[i], "port")).second)
      errors.duplicate(field, json{{"port", at(ports[i], "port")}, {"protocol", protocol}});
    const auto node_port = number(ports[i], "nodePort");
    if (node_port == 0)
      continue;
    if (type == "ClusterIP")
      errors.forbidden(field + ".nodePort", "may not be used when `type` is 'ClusterIP'");
    if (!node_ports.emplace(protocol, node_port).second)
      errors.duplicate(field + ".nodePort", node_port);
  }
}

void check_cluster_ips(FieldChecker &errors, const json &spec) {
  const auto ips = texts(spec, "clusterIPs");
  const auto first = text(spec, "clusterIP");
  if (ips.size() > 2)
    errors.invalid("spec.clusterIPs", at(spec, "clusterIPs"), "may only hold up to 2 values");
  if (!ips.empty() && ips.front() != first)
    errors.invalid("spec.clusterIPs", at(spec, "clusterIPs"), "first value must match `clusterIP`");
  std::set<Family> families;
  for (std::size_t i = 0; i < ips.size(); ++i) {
    const auto field = indexed("spec.clusterIPs", i);
    if (ips[i] == "None") {
      if (ips.size() > 1)
        errors.invalid("spec.clusterIPs", at(spec, "clusterIPs"),
                       "'None' must be the first and only value");
      continue;
    }
    errors.check(field, ips[i], ip_problem(ips[i]));
    const auto ip = IpAddress::parse(ips[i]);
    if (ip && !families.insert(ip->family()).second)
      errors.invalid("spec.clusterIPs", at(spec, "clusterIPs"),
                     "may specify no more than one IP for each IP family");
  }
}

void check_families(FieldChecker &errors, const json &spec) {
  errors.one_of(spec, "ipFamilyPolicy", "spec.ipFamilyPolicy",
                {"SingleStack", "PreferDualStack", "RequireDualStack"});
  const auto families = texts(spec, "ipFamilies");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < families.size(); ++i) {
    const auto field = indexed("spec.ipFamilies", i);
    if (families[i] != "IPv4" && families[i] != "IPv6")
      errors.not_supported(field, families[i], {"IPv4", "IPv6"});
    if (!seen.insert(families[i]).second)
      errors.duplicate(field, families[i]);
  }
}

/// Why an address that other machines should reach cannot be this one.
std::string external_ip_problem(const std::string &text) {
  const auto ip = IpAddress::parse(text);
  if (!ip)
    return ip_problem(text);
  if (ip->is_unspecified())
    return "may not be unspecified (0.0.0.0 or ::)";
  if (ip->is_loopback())
    return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
  if (ip->is_link_local())
    return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
  if (ip->is_multicast())
    return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
  return "";
}

void check_addresses(FieldChecker &errors, const json &spec) {
  const auto external = texts(spec, "externalIPs");
  for (std::size_t i = 0; i < external.size(); ++i)
    errors.check(indexed("spec.externalIPs", i), external[i], external_ip_problem(external[i]));
  const auto ranges = texts(spec, "loadBalancerSourceRanges");
  if (!ranges.empty() && text(spec, "type") != "LoadBalancer")
    errors.forbidden("spec.loadBalancerSourceRanges",
                     "may only be used when `type` is 'LoadBalancer'");
  for (std::size_t i = 0; i < ranges.size(); ++i)
    errors.check(indexed("spec.loadBalancerSourceRanges", i), ranges[i], cidr_problem(ranges[i]));
}

void check_policies(FieldChecker &errors, const json &spec) {
  const auto type = text(spec, "type");
  errors.one_of(spec, "internalTrafficPolicy", "spec.internalTrafficPolicy", {"Cluster", "Local"});
  errors.one_of(spec, "externalTrafficPolicy", "spec.externalTrafficPolicy", {"Cluster", "Local"});
  if (!is_empty(spec, "externalTrafficPolicy") && type != "NodePort" && type != "LoadBalancer" &&
      is_empty(spec, "externalIPs"))
    errors.invalid("spec.externalTrafficPolicy", at(spec, "externalTrafficPolicy"),
                   "may only be set for externally-accessible services");
  errors.one_of(spec, "trafficDistribution", "spec.trafficDistribution",
                {"PreferClose", "PreferSameZone", "PreferSameNode"});
  errors.one_of(spec, "sessionAffinity", "spec.sessionAffinity", {"ClientIP", "None"}, true);
  const json &timeout = at(spec, "sessionAffinityConfig.clientIP.timeoutSeconds");
  if (!timeout.is_null() && (number(timeout, "") < 1 || number(timeout, "") > 86400))
    errors.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout,
                   "must be greater than 0 and less than 86400");
  if (number(spec, "healthCheckNodePort") != 0 && !needs_health_check_node_port(spec))
    errors.invalid("spec.healthCheckNodePort", at(spec, "healthCheckNodePort"),
                   "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is "
                   "'Local'");
}

void check_type(FieldChecker &errors, const json &spec) {
  const auto type = text(spec, "type");
  errors.one_of(spec, "type", "spec.type",
                {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}, true);
  if ((type == "NodePort" || type == "LoadBalancer") && is_headless(spec))
    errors.invalid("spec.clusterIPs[0]", "None",
                   "may not be set to 'None' for " + type + " services");
  if (type == "ExternalName") {
    const auto target = text(spec, "externalName");
    if (target.empty())
      errors.required("spec.externalName");
    else
      errors.check("spec.externalName", target,
                   dns_subdomain_problem(target.back() == '.' ? target.substr(0, target.size() - 1)
                                                              : target));
    for (const auto *field : {"clusterIPs", "ipFamilies", "ipFamilyPolicy"})
      if (!is_empty(spec, field))
        errors.forbidden(std::string("spec.") + field,
                         "may not be set when `type` is 'ExternalName'");
  }
  if (!is_empty(spec, "loadBalancerClass") && type != "LoadBalancer")
    errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
}

void check_selector(FieldChecker &errors, const json &spec) {
  for (const auto &[key, value] : map(spec, "selector").items()) {
    errors.check("spec.selector", key, qualified_name_problem(key));
    errors.check("spec.selector", value, label_value_problem(text(value, "")));
  }
}

/// Once given, an address stays until the type becomes ExternalName.
void check_update(FieldChecker &errors, const json &spec, const json &old_spec) {
  if (!needs_cluster_ip(spec) || !needs_cluster_ip(old_spec))
    return;
  const auto now = texts(spec, "clusterIPs"), before = texts(old_spec, "clusterIPs");
  if (!before.empty() && (now.empty() || now.front() != before.front()))
    errors.invalid("spec.clusterIPs[0]", at(spec, "clusterIPs"), "may not change once set");
  if (before.size() > 1 && now.size() > 1 && now[1] != before[1])
    errors.invalid("spec.clusterIPs[1]", at(spec, "clusterIPs"), "may not change once set");
  const auto families = texts(spec, "ipFamilies"), old_families = texts(old_spec, "ipFamilies");
  if (!old_families.empty() && !families.empty() && families.front() != old_families.front())
    errors.invalid("spec.ipFamilies[0]", families.front(),
                   "primary ipFamily can not be changed once set");
  const auto check = number(old_spec, "healthCheckNodePort");
  if (check != 0 && needs_health_check_node_port(spec) &&
      number(spec, "healthCheckNodePort") != check)
    errors.forbidden("spec.healthCheckNodePort", "field is immutable");
  if (text(spec, "type") == "LoadBalancer" && text(old_spec, "type") == "LoadBalancer" &&
      at(spec, "loadBalancerClass") != at(old_spec, "loadBalancerClass"))
    errors.invalid("spec.loadBalancerClass", at(spec, "loadBalancerClass"),
                   "may not change once set");
}

void check_status(FieldChecker &errors, const json &object) {
  const auto &ingress = list(object, "status.loadBalancer.ingress");
  if (!ingress.empty() && text(object, "spec.type") != "LoadBalancer")
    errors.forbidden("status.loadBalancer.ingress",
                     "may only be used when `spec.type` is 'LoadBalancer'");
  for (std::size_t i = 0; i < ingress.size(); ++i) {
    const auto field = indexed("status.loadBalancer.ingress", i);
    const auto ip = text(ingress[i], "ip");
    if (!ip.empty())
      errors.check(field + ".ip", ip, ip_problem(ip));
    errors.one_of(ingress[i], "ipMode", field + ".ipMode", {"Proxy", "VIP"});
  }
}

} // namespace

FieldErrors validate_service(const json &object, const json *old) {
  FieldChecker errors;
  const json &spec = at(object, "spec");
  const auto name = text(object, "metadata.name");
  if (!name.empty())
    errors.check("metadata.name", name, dns1035_label_problem(name));
  check_type(errors, spec);
  check_ports(errors, spec);
  check_cluster_ips(errors, spec);
  check_families(errors, spec);
  check_addresses(errors, spec);
  check_policies(errors, spec);
  check_selector(errors, spec);
  check_status(errors, object);
  if (old != nullptr)
    check_update(errors, spec, map(*old, "spec"));
  return errors.take();
}

} // namespace sluice::controlplane
