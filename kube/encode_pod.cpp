// v1 Pod.

#include "kube/encode.hpp"

namespace sluice::kube {
namespace encoding {
namespace {

json encode(const EnvVar &variable) {
  json result = {{"name", variable.name}};
  put(result, "value", variable.value);
  if (!variable.fieldPath.empty())
    result["valueFrom"]["fieldRef"]["fieldPath"] = variable.fieldPath;
  return result;
}

json encode(const ContainerPort &port) {
  json result = {{"containerPort", port.containerPort},
                 {"protocol", std::string(name_of(port.protocol))}};
  put(result, "name", port.name);
  return result;
}

void put_handler(json &into, const Probe &probe) {
  if (probe.kind == Probe::Kind::exec) {
    into["exec"] = json::object();
    put(into["exec"], "command", probe.command);
    return;
  }
  const bool http = probe.kind == Probe::Kind::http_get;
  json &handler = into[http ? "httpGet" : "tcpSocket"];
  handler = {{"port", encoding::encode(probe.port)}};
  put(handler, "host", probe.host);
  if (http)
    put(handler, "path", probe.path);
}

json encode(const Probe &probe) {
  json result = {{"periodSeconds", probe.periodSeconds},
                 {"timeoutSeconds", probe.timeoutSeconds},
                 {"successThreshold", probe.successThreshold},
                 {"failureThreshold", probe.failureThreshold}};
  put(result, "initialDelaySeconds", probe.initialDelaySeconds);
  put_handler(result, probe);
  return result;
}

json encode(const Container &container) {
  json result = {{"name", container.name}};
  put(result, "image", container.image);
  put(result, "workingDir", container.workingDir);
  put(result, "command", container.command);
  put(result, "args", container.args);
  put_list(result, "env", container.env, [](const EnvVar &variable) { return encode(variable); });
  put_list(result, "ports", container.ports,
           [](const ContainerPort &port) { return encode(port); });
  if (container.readinessProbe)
    result["readinessProbe"] = encode(*container.readinessProbe);
  if (container.livenessProbe)
    result["livenessProbe"] = encode(*container.livenessProbe);
  return result;
}

json encode(const Toleration &toleration) {
  json result = json::object();
  put(result, "key", toleration.key);
  put(result, "operator", toleration.operator_);
  put(result, "value", toleration.value);
  put(result, "effect", toleration.effect);
  return result;
}

json encode(const ContainerStatus &status) {
  json result = {
      {"name", status.name}, {"ready", status.ready}, {"restartCount", status.restartCount}};
  if (status.state.empty())
    return result;
  json &state = result["state"][status.state] = json::object();
  put(state, "reason", status.reason);
  put(state, "message", status.message);
  put(state, "startedAt", status.startedAt);
  if (status.state == "terminated")
    state["exitCode"] = status.exitCode;
  return result;
}

json encode_spec(const Pod &pod) {
  json spec = {{"terminationGracePeriodSeconds", pod.terminationGracePeriodSeconds}};
  put(spec, "nodeName", pod.nodeName);
  put(spec, "serviceAccountName", pod.serviceAccountName);
  put(spec, "restartPolicy", pod.restartPolicy);
  put(spec, "hostname", pod.hostname);
  put(spec, "subdomain", pod.subdomain);
  put(spec, "schedulerName", pod.schedulerName);
  put(spec, "hostNetwork", pod.hostNetwork);
  put(spec, "automountServiceAccountToken", pod.automountServiceAccountToken);
  put(spec, "nodeSelector", pod.nodeSelector);
  const auto container = [](const Container &one) { return encode(one); };
  put_list(spec, "tolerations", pod.tolerations, [](const Toleration &one) { return encode(one); });
  put_list(spec, "containers", pod.containers, container);
  put_list(spec, "initContainers", pod.initContainers, container);
  return spec;
}

json encode_status(const Pod &pod) {
  json status = json::object();
  put(status, "phase", pod.phase);
  put(status, "hostIP", pod.hostIP);
  if (!pod.podIPs.empty())
    status["podIP"] = pod.podIPs.front();
  put_list(status, "podIPs", pod.podIPs, [](const std::string &ip) { return json{{"ip", ip}}; });
  put_list(status, "conditions", pod.conditions,
           [](const Condition &condition) { return encoding::encode(condition); });
  put_list(status, "containerStatuses", pod.containerStatuses,
           [](const ContainerStatus &one) { return encode(one); });
  return status;
}

} // namespace
} // namespace encoding

using namespace encoding;

json to_json(const Pod &object) {
  json result = document("v1", "Pod", object.metadata);
  result["spec"] = encode_spec(object);
  put_object(result, "status", encode_status(object));
  return result;
}

} // namespace sluice::kube
