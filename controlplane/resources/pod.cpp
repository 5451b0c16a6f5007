#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/pod_parts.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr const char *kContainerLists[] = {"initContainers", "containers"};

void default_probe(json *probe) {
  if (probe == nullptr || !probe->is_object())
    return;
  set_default(*probe, "timeoutSeconds", 1);
  set_default(*probe, "periodSeconds", 10);
  set_default(*probe, "successThreshold", 1);
  set_default(*probe, "failureThreshold", 3);
  if (auto *get = find(*probe, "httpGet")) {
    set_default_text(*get, "path", "/");
    set_default_text(*get, "scheme", "HTTP");
  }
}

std::string pull_policy(const std::string &image) {
  const auto name = image.substr(image.rfind('/') + 1);
  const bool latest = name.find(':') == std::string::npos || name.size() < 7 ||
                      name.compare(name.size() - 7, 7, ":latest") == 0;
  return latest && name.find('@') == std::string::npos ? "Always" : "IfNotPresent";
}

void default_container(json &container, bool host_network) {
  set_default_text(container, "terminationMessagePath", "/dev/termination-log");
  set_default_text(container, "terminationMessagePolicy", "File");
  set_default_text(container, "imagePullPolicy", pull_policy(text(container, "image")));
  set_default(container, "resources", json::object());
  for (const auto *probe : {"readinessProbe", "livenessProbe", "startupProbe"})
    default_probe(find(container, probe));
  auto *ports = find(container, "ports");
  if (ports == nullptr || !ports->is_array())
    return;
  for (auto &port : *ports) {
    set_default_text(port, "protocol", "TCP");
    if (host_network && number(port, "hostPort") == 0 && port.is_object())
      port["hostPort"] = at(port, "containerPort");
  }
}

/// The API server's DefaultTolerationSeconds admission: five minutes on a node that went away.
void default_tolerations(json &spec) {
  set_default(spec, "tolerations", json::array());
  auto &tolerations = spec["tolerations"];
  if (!tolerations.is_array())
    return;
  for (const auto *key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    const bool tolerated =
        std::any_of(tolerations.begin(), tolerations.end(), [&](const json &one) {
          const auto effect = text(one, "effect"), its_key = text(one, "key");
          return (its_key == key || its_key.empty()) && (effect == "NoExecute" || effect.empty());
        });
    if (!tolerated)
      tolerations.push_back({{"key", key},
                             {"operator", "Exists"},
                             {"effect", "NoExecute"},
                             {"tolerationSeconds", 300}});
  }
}

void set_defaults(json &object) {
  auto *spec = object_at(object, "spec");
  if (spec == nullptr)
    return;
  set_default_text(*spec, "restartPolicy", "Always");
  set_default(*spec, "terminationGracePeriodSeconds", 30);
  set_default_text(*spec, "dnsPolicy", "ClusterFirst");
  set_default_text(*spec, "schedulerName", "default-scheduler");
  set_default(*spec, "securityContext", json::object());
  set_default(*spec, "enableServiceLinks", true);
  set_default_text(*spec, "serviceAccountName", text(*spec, "serviceAccount", "default"));
  set_default_text(*spec, "serviceAccount", text(*spec, "serviceAccountName"));
  default_tolerations(*spec);
  for (const auto *field : kContainerLists) {
    auto *containers = find(*spec, field);
    if (containers != nullptr && containers->is_array())
      for (auto &container : *containers)
        default_container(container, flag(*spec, "hostNetwork"));
  }
}

std::string qos_class(const json &object) {
  bool any = false, guaranteed = true;
  for (const auto &container : list(object, "spec.containers")) {
    const auto &limits = map(container, "resources.limits");
    const auto &requests = map(container, "resources.requests");
    any = any || !limits.empty() || !requests.empty();
    guaranteed = guaranteed && limits.contains("cpu") && limits.contains("memory") &&
                 (requests.empty() || requests == limits);
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void prepare_for_create(json &object) {
  if (!object.is_object())
    return;
  object["status"] = {{"phase", "Pending"}, {"qosClass", qos_class(object)}};
}

/// status.podIP and status.podIPs say the same thing, as do hostIP and hostIPs; old clients write
/// only the first.
void prepare_for_status_update(json &object, const json &) {
  auto *status = object_at(object, "status");
  if (status == nullptr)
    return;
  for (const auto &[one, many] : {std::pair("podIP", "podIPs"), std::pair("hostIP", "hostIPs")}) {
    const auto ip = text(*status, one);
    const auto &ips = list(*status, many);
    if (ip.empty() && !ips.empty())
      (*status)[one] = text(ips[0], "ip");
    else if (!ip.empty() && (ips.empty() || text(ips[0], "ip") != ip))
      (*status)[many] = json::array({json{{"ip", ip}}});
  }
}

bool is_finished(const json &object) {
  const auto phase = text(object, "status.phase");
  return phase == "Succeeded" || phase == "Failed";
}

std::int64_t default_grace_seconds(const json &object) {
  if (is_empty(object, "spec.nodeName") || is_finished(object))
    return 0;
  return std::max<std::int64_t>(0, number(object, "spec.terminationGracePeriodSeconds", 30));
}

std::vector<FieldLabel> field_labels() {
  std::vector<FieldLabel> labels;
  for (const auto *path :
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "status.phase", "status.podIP", "status.nominatedNodeName"})
    labels.push_back({path, [path](const json &object) { return text(object, path); }});
  labels.push_back({"spec.hostNetwork", [](const json &object) {
                      return flag(object, "spec.hostNetwork") ? "true" : "false";
                    }});
  return labels;
}

} // namespace

ResourceType pod_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "Pod";
  type.plural = "pods";
  type.singular = "pod";
  type.shortNames = {"po"};
  type.categories = {"all"};
  type.hasStatus = true;
  type.subresources = {{"binding", "Binding", "", "v1", {"create"}},
                       {"eviction", "Eviction", "policy", "v1", {"create"}},
                       {"log", "Pod", "", "v1", {"get"}}};
  type.set_defaults = set_defaults;
  type.validate = validate_pod;
  type.prepare_for_create = prepare_for_create;
  type.prepare_for_status_update = prepare_for_status_update;
  type.default_grace_seconds = default_grace_seconds;
  type.columns = pod_columns();
  type.cells = pod_cells;
  type.fieldLabels = field_labels();
  MergeKeys keys = {
      {"spec.volumes", "name"},         {"spec.imagePullSecrets", "name"},
      {"spec.hostAliases", "ip"},       {"spec.topologySpreadConstraints", "topologyKey"},
      {"spec.schedulingGates", "name"}, {"spec.resourceClaims", "name"},
      {"status.conditions", "type"},    {"status.podIPs", "ip"},
      {"status.hostIPs", "ip"}};
  for (const auto &key : container_merge_keys())
    keys.push_back(key);
  type.list_merge = list_merges(std::move(keys));
  use_schema(type, pod_schema());
  return type;
}

} // namespace sluice::controlplane
