#include "controlplane/resources/access.hpp"
#include "controlplane/resources/pod_parts.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

/// Sets of names that must be unique over a whole pod.
struct Seen {
  std::set<std::string> containers;
  std::set<std::pair<std::string, std::int64_t>> host_ports;
};

void check_ports(FieldChecker &errors, const json &container, bool host_network, Seen &seen,
                 const std::string &field) {
  std::set<std::string> names;
  const auto &ports = list(container, "ports");
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto place = indexed(field + ".ports", i);
    const auto name = text(ports[i], "name");
    if (!name.empty()) {
      errors.check(place + ".name", name, port_name_problem(name));
      if (!names.insert(name).second)
        errors.duplicate(place + ".name", name);
    }
    const auto port = number(ports[i], "containerPort"), host = number(ports[i], "hostPort");
    if (port == 0)
      errors.required(place + ".containerPort");
    else
      errors.check(place + ".containerPort", port, port_number_problem(port));
    errors.one_of(ports[i], "protocol", place + ".protocol", {"SCTP", "TCP", "UDP"}, true);
    if (host == 0)
      continue;
    errors.check(place + ".hostPort", host, port_number_problem(host));
    if (host_network && host != port)
      errors.invalid(place + ".hostPort", host,
                     "must match `containerPort` when `hostNetwork` is true");
    if (!seen.host_ports.emplace(text(ports[i], "protocol"), host).second)
      errors.duplicate(place + ".hostPort", host);
  }
}

std::string env_name_problem(const std::string &name) {
  const bool printable = std::all_of(name.begin(), name.end(),
                                     [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  return printable ? ""
                   : "a valid environment variable name must consist only of printable ASCII "
                     "characters other than '='";
}

void check_env(FieldChecker &errors, const json &container, const std::string &field) {
  const auto &variables = list(container, "env");
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const auto place = indexed(field + ".env", i);
    const auto name = text(variables[i], "name");
    if (name.empty())
      errors.required(place + ".name");
    errors.check(place + ".name", name, env_name_problem(name));
    if (!is_empty(variables[i], "value") && !is_empty(variables[i], "valueFrom"))
      errors.invalid(place + ".valueFrom", "", "may not be specified when `value` is not empty");
  }
}

void check_probe(FieldChecker &errors, const json &probe, const std::string &field) {
  if (!probe.is_object())
    return;
  int actions = 0;
  for (const auto *action : {"exec", "httpGet", "tcpSocket", "grpc"})
    actions += at(probe, action).is_null() ? 0 : 1;
  if (actions == 0)
    errors.required(field, "must specify a handler type");
  if (actions > 1)
    errors.forbidden(field, "may not specify more than 1 handler type");
  for (const auto *action : {"httpGet", "tcpSocket"}) {
    const json &port = at(at(probe, action), "port");
    const auto place = field + "." + action + ".port";
    if (port.is_number())
      errors.check(place, port, port_number_problem(number(port, "")));
    else if (port.is_string())
      errors.check(place, port, port_name_problem(text(port, "")));
    else if (at(probe, action).is_object())
      errors.required(place);
  }
  for (const auto *count : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                            "successThreshold", "failureThreshold"})
    if (number(probe, count) < 0)
      errors.invalid(field + "." + count, at(probe, count), "must be greater than or equal to 0");
}

void check_container(FieldChecker &errors, const json &container, bool host_network, Seen &seen,
                     const std::string &field) {
  const auto name = text(container, "name");
  if (name.empty())
    errors.required(field + ".name");
  else
    errors.check(field + ".name", name, dns_label_problem(name));
  if (!name.empty() && !seen.containers.insert(name).second)
    errors.duplicate(field + ".name", name);
  if (is_empty(container, "image"))
    errors.required(field + ".image");
  check_ports(errors, container, host_network, seen, field);
  check_env(errors, container, field);
  for (const auto *probe : {"readinessProbe", "livenessProbe", "startupProbe"})
    check_probe(errors, at(container, probe), field + "." + probe);
  errors.one_of(container, "imagePullPolicy", field + ".imagePullPolicy",
                {"Always", "IfNotPresent", "Never"});
}

void check_containers(FieldChecker &errors, const json &spec) {
  Seen seen;
  if (list(spec, "containers").empty())
    errors.required("spec.containers");
  for (const auto *field : {"initContainers", "containers"}) {
    const auto &containers = list(spec, field);
    for (std::size_t i = 0; i < containers.size(); ++i)
      check_container(errors, containers[i], flag(spec, "hostNetwork"), seen,
                      indexed(std::string("spec.") + field, i));
  }
}

void check_tolerations(FieldChecker &errors, const json &spec) {
  const auto &tolerations = list(spec, "tolerations");
  for (std::size_t i = 0; i < tolerations.size(); ++i) {
    const auto field = indexed("spec.tolerations", i);
    const auto key = text(tolerations[i], "key"), op = text(tolerations[i], "operator");
    if (!key.empty())
      errors.check(field + ".key", key, qualified_name_problem(key));
    else if (op != "Exists")
      errors.invalid(field + ".operator", op,
                     "operator must be Exists when `key` is empty, which means \"match all values "
                     "and all keys\"");
    errors.one_of(tolerations[i], "operator", field + ".operator", {"Equal", "Exists"});
    errors.one_of(tolerations[i], "effect", field + ".effect",
                  {"NoSchedule", "PreferNoSchedule", "NoExecute"});
    if (op == "Exists" && !is_empty(tolerations[i], "value"))
      errors.invalid(field + ".operator", op, "value must be empty when `operator` is 'Exists'");
  }
}

void check_names(FieldChecker &errors, const json &spec) {
  for (const auto *field : {"hostname", "subdomain"}) {
    const auto name = text(spec, field);
    if (!name.empty())
      errors.check(std::string("spec.") + field, name, dns_label_problem(name));
  }
  for (const auto *field : {"nodeName", "serviceAccountName"}) {
    const auto name = text(spec, field);
    if (!name.empty())
      errors.check(std::string("spec.") + field, name, dns_subdomain_problem(name));
  }
  for (const auto &[key, value] : map(spec, "nodeSelector").items()) {
    errors.check("spec.nodeSelector", key, qualified_name_problem(key));
    errors.check("spec.nodeSelector", value, label_value_problem(text(value, "")));
  }
}

/// The spec without what an update may change: images, the deadline, more tolerations, and the
/// node, which a binding sets once.
json frozen(const json &object, const json &old) {
  json spec = map(object, "spec");
  for (const auto *field : {"containers", "initContainers"}) {
    auto *containers = find(spec, field);
    if (containers != nullptr && containers->is_array())
      for (auto &container : *containers)
        if (container.is_object())
          container.erase("image");
  }
  spec.erase("activeDeadlineSeconds");
  spec.erase("tolerations");
  spec.erase("schedulingGates");
  if (is_empty(old, "spec.nodeName"))
    spec.erase("nodeName");
  return spec;
}

bool keeps_tolerations(const json &object, const json &old) {
  const auto &now = list(object, "spec.tolerations");
  const auto &before = list(old, "spec.tolerations");
  return std::all_of(before.begin(), before.end(), [&](const json &one) {
    return std::find(now.begin(), now.end(), one) != now.end();
  });
}

void check_update(FieldChecker &errors, const json &object, const json &old) {
  if (frozen(object, old) == frozen(old, old) && keeps_tolerations(object, old))
    return;
  errors.forbidden("spec",
                   "pod updates may not change fields other than `spec.containers[*].image`,"
                   "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
                   "(only additions to existing tolerations)");
}

} // namespace

FieldErrors validate_pod(const json &object, const json *old) {
  FieldChecker errors;
  const json &spec = at(object, "spec");
  if (old != nullptr)
    check_update(errors, object, *old);
  check_containers(errors, spec);
  check_tolerations(errors, spec);
  check_names(errors, spec);
  errors.one_of(spec, "restartPolicy", "spec.restartPolicy", {"Always", "OnFailure", "Never"});
  errors.one_of(spec, "dnsPolicy", "spec.dnsPolicy",
                {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"});
  if (number(spec, "terminationGracePeriodSeconds") < 0)
    errors.invalid("spec.terminationGracePeriodSeconds", at(spec, "terminationGracePeriodSeconds"),
                   "must be greater than or equal to 0");
  return errors.take();
}

} // namespace sluice::controlplane
