// v1 Pod.

#include "kube/decode.hpp"

namespace sluice::kube {

void decode(JsonReader &reader, EnvVar &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "name", into.name) || reader.read(key, "value", into.value) ||
           reader.inside(key, "valueFrom", [&](std::string_view from) {
             return reader.inside(from, "fieldRef", [&](std::string_view ref) {
               return reader.read(ref, "fieldPath", into.fieldPath);
             });
           });
  });
}

namespace {

bool decode_handler(JsonReader &reader, std::string_view key, Probe &into, bool &known) {
  const auto is = [&](std::string_view name, Probe::Kind kind) {
    if (key != name)
      return false;
    into.kind = kind;
    return known = true;
  };
  if (is("exec", Probe::Kind::exec)) {
    reader.object(
        [&](std::string_view exec) { return reader.read(exec, "command", into.command); });
    return true;
  }
  if (is("httpGet", Probe::Kind::http_get) || is("tcpSocket", Probe::Kind::tcp_socket)) {
    reader.object([&](std::string_view field) {
      return reader.read(field, "port", into.port) || reader.read(field, "path", into.path) ||
             reader.read(field, "host", into.host);
    });
    return true;
  }
  return false;
}

/// A probe of a kind that we cannot run is as none.
void decode_probe(JsonReader &reader, std::optional<Probe> &into) {
  if (reader.null())
    return;
  Probe probe;
  bool known = false;
  reader.object([&](std::string_view key) {
    return decode_handler(reader, key, probe, known) ||
           reader.read(key, "initialDelaySeconds", probe.initialDelaySeconds) ||
           reader.read(key, "periodSeconds", probe.periodSeconds) ||
           reader.read(key, "timeoutSeconds", probe.timeoutSeconds) ||
           reader.read(key, "successThreshold", probe.successThreshold) ||
           reader.read(key, "failureThreshold", probe.failureThreshold);
  });
  if (known)
    into = std::move(probe);
}

void decode_container_ports(JsonReader &reader, std::vector<ContainerPort> &into) {
  decode_ports(reader, into, [&](std::string_view key, ContainerPort &port, bool &known) {
    if (key == "protocol") {
      const auto protocol = decode_protocol(reader);
      known = protocol.has_value();
      port.protocol = protocol.value_or(Protocol::tcp);
      return true;
    }
    return reader.read(key, "name", port.name) ||
           reader.read(key, "containerPort", port.containerPort);
  });
}

} // namespace

void decode(JsonReader &reader, Container &into) {
  reader.object([&](std::string_view key) {
    if (key == "readinessProbe" || key == "livenessProbe") {
      decode_probe(reader, key == "readinessProbe" ? into.readinessProbe : into.livenessProbe);
      return true;
    }
    if (key == "ports") {
      decode_container_ports(reader, into.ports);
      return true;
    }
    return reader.read(key, "name", into.name) || reader.read(key, "image", into.image) ||
           reader.read(key, "workingDir", into.workingDir) ||
           reader.read(key, "command", into.command) || reader.read(key, "args", into.args) ||
           reader.read(key, "env", into.env);
  });
}

void decode(JsonReader &reader, Toleration &into) {
  reader.object([&](std::string_view key) {
    return reader.read(key, "key", into.key) || reader.read(key, "operator", into.operator_) ||
           reader.read(key, "value", into.value) || reader.read(key, "effect", into.effect);
  });
}

void decode(JsonReader &reader, ContainerStatus &into) {
  const auto state = [&](std::string_view name) {
    if (name != "waiting" && name != "running" && name != "terminated")
      return false;
    if (reader.null())
      return true;
    into.state = std::string(name);
    reader.object([&](std::string_view key) {
      return reader.read(key, "reason", into.reason) || reader.read(key, "message", into.message) ||
             reader.read(key, "exitCode", into.exitCode) ||
             reader.read(key, "startedAt", into.startedAt);
    });
    return true;
  };
  reader.object([&](std::string_view key) {
    return reader.read(key, "name", into.name) || reader.read(key, "ready", into.ready) ||
           reader.read(key, "restartCount", into.restartCount) ||
           reader.inside(key, "state", state);
  });
}

namespace {

bool decode_pod_spec(JsonReader &reader, std::string_view key, Pod &into) {
  return reader.read(key, "nodeName", into.nodeName) ||
         reader.read(key, "serviceAccountName", into.serviceAccountName) ||
         reader.read(key, "restartPolicy", into.restartPolicy) ||
         reader.read(key, "hostname", into.hostname) ||
         reader.read(key, "subdomain", into.subdomain) ||
         reader.read(key, "schedulerName", into.schedulerName) ||
         reader.read(key, "hostNetwork", into.hostNetwork) ||
         reader.read(key, "automountServiceAccountToken", into.automountServiceAccountToken) ||
         reader.read(key, "terminationGracePeriodSeconds", into.terminationGracePeriodSeconds) ||
         reader.read(key, "nodeSelector", into.nodeSelector) ||
         reader.read(key, "tolerations", into.tolerations) ||
         reader.read(key, "containers", into.containers) ||
         reader.read(key, "initContainers", into.initContainers);
}

void decode_pod_status(JsonReader &reader, Pod &into) {
  std::string single_ip;
  reader.object([&](std::string_view key) {
    if (key == "podIPs") {
      decode_each(reader, "ip", into.podIPs);
      return true;
    }
    return reader.read(key, "phase", into.phase) || reader.read(key, "hostIP", into.hostIP) ||
           reader.read(key, "podIP", single_ip) ||
           reader.read(key, "conditions", into.conditions) ||
           reader.read(key, "containerStatuses", into.containerStatuses);
  });
  if (into.podIPs.empty() && !single_ip.empty())
    into.podIPs.push_back(std::move(single_ip));
}

} // namespace

bool decode_member(JsonReader &reader, std::string_view key, Pod &into) {
  if (key == "status") {
    decode_pod_status(reader, into);
    return true;
  }
  return reader.inside(key, "spec",
                       [&](std::string_view spec) { return decode_pod_spec(reader, spec, into); });
}

} // namespace sluice::kube
