#include "controlplane/resources/pod_parts.hpp"

namespace sluice::controlplane {
namespace {

constexpr std::string_view kSchema = R"({
  "@probe": {
    "exec": {"command": ["string"]},
    "httpGet": {"path": "string", "port": "intstr", "host": "string", "scheme": "string",
      "httpHeaders": [{"name": "string", "value": "string"}]},
    "tcpSocket": {"port": "intstr", "host": "string"},
    "grpc": {"port": "int", "service": "string"},
    "initialDelaySeconds": "int", "timeoutSeconds": "int", "periodSeconds": "int",
    "successThreshold": "int", "failureThreshold": "int", "terminationGracePeriodSeconds": "int"},
  "@containers": [{
    "name": "string", "image": "string", "command": ["string"], "args": ["string"],
    "workingDir": "string",
    "ports": [{"name": "string", "hostPort": "int", "containerPort": "int", "protocol": "string",
      "hostIP": "string"}],
    "envFrom": [{"prefix": "string", "configMapRef": {"name": "string", "optional": "bool"},
      "secretRef": {"name": "string", "optional": "bool"}}],
    "env": [{"name": "string", "value": "string", "valueFrom": {
      "fieldRef": {"apiVersion": "string", "fieldPath": "string"},
      "resourceFieldRef": {"containerName": "string", "resource": "string", "divisor": "quantity"},
      "configMapKeyRef": {"name": "string", "key": "string", "optional": "bool"},
      "secretKeyRef": {"name": "string", "key": "string", "optional": "bool"}}}],
    "resources": {"limits": {"*": "quantity"}, "requests": {"*": "quantity"},
      "claims": [{"name": "string", "request": "string"}]},
    "resizePolicy": "any", "restartPolicy": "string",
    "volumeMounts": [{"name": "string", "readOnly": "bool", "recursiveReadOnly": "string",
      "mountPath": "string", "subPath": "string", "mountPropagation": "string",
      "subPathExpr": "string"}],
    "volumeDevices": [{"name": "string", "devicePath": "string"}],
    "livenessProbe": "@probe", "readinessProbe": "@probe", "startupProbe": "@probe",
    "lifecycle": "any", "terminationMessagePath": "string", "terminationMessagePolicy": "string",
    "imagePullPolicy": "string", "securityContext": "any", "stdin": "bool", "stdinOnce": "bool",
    "tty": "bool", "targetContainerName": "string"}],
  "@containerStatuses": [{
    "name": "string", "state": "any", "lastState": "any", "ready": "bool", "restartCount": "int",
    "image": "string", "imageID": "string", "containerID": "string", "started": "bool",
    "allocatedResources": "any", "allocatedResourcesStatus": "any", "resources": "any",
    "volumeMounts": "any", "user": "any"}],
  "spec": {
    "containers": "@containers", "initContainers": "@containers",
    "ephemeralContainers": "@containers", "volumes": [{"name": "string", "*": "any"}],
    "restartPolicy": "string", "terminationGracePeriodSeconds": "int",
    "activeDeadlineSeconds": "int", "dnsPolicy": "string", "nodeSelector": "map",
    "serviceAccountName": "string", "serviceAccount": "string",
    "automountServiceAccountToken": "bool", "nodeName": "string", "hostNetwork": "bool",
    "hostPID": "bool", "hostIPC": "bool", "hostUsers": "bool", "shareProcessNamespace": "bool",
    "securityContext": "any", "imagePullSecrets": [{"name": "string"}], "hostname": "string",
    "subdomain": "string", "affinity": "any", "schedulerName": "string",
    "tolerations": [{"key": "string", "operator": "string", "value": "string", "effect": "string",
      "tolerationSeconds": "int"}],
    "hostAliases": [{"ip": "string", "hostnames": ["string"]}],
    "priorityClassName": "string", "priority": "int",
    "dnsConfig": {"nameservers": ["string"], "searches": ["string"],
      "options": [{"name": "string", "value": "string"}]},
    "readinessGates": [{"conditionType": "string"}], "runtimeClassName": "string",
    "enableServiceLinks": "bool", "preemptionPolicy": "string", "overhead": {"*": "quantity"},
    "topologySpreadConstraints": "any", "setHostnameAsFQDN": "bool", "os": {"name": "string"},
    "schedulingGates": [{"name": "string"}], "resourceClaims": "any", "resources": "any"},
  "status": {
    "phase": "string", "conditions": "@conditions", "message": "string", "reason": "string",
    "nominatedNodeName": "string", "hostIP": "string", "hostIPs": [{"ip": "string"}],
    "podIP": "string", "podIPs": [{"ip": "string"}], "startTime": "time",
    "initContainerStatuses": "@containerStatuses", "containerStatuses": "@containerStatuses",
    "ephemeralContainerStatuses": "@containerStatuses", "qosClass": "string", "resize": "string",
    "resourceClaimStatuses": "any", "observedGeneration": "int"}})";

} // namespace

std::string_view pod_schema() { return kSchema; }

MergeKeys container_merge_keys() {
  return {
      {"spec.containers", "name"},
      {"spec.containers.ports", "containerPort"},
      {"spec.containers.env", "name"},
      {"spec.containers.volumeMounts", "mountPath"},
      {"spec.containers.volumeDevices", "devicePath"},
      {"spec.initContainers", "name"},
      {"spec.initContainers.ports", "containerPort"},
      {"spec.initContainers.env", "name"},
      {"spec.initContainers.volumeMounts", "mountPath"},
      {"spec.initContainers.volumeDevices", "devicePath"},
      {"spec.ephemeralContainers", "name"},
      {"spec.ephemeralContainers.ports", "containerPort"},
      {"spec.ephemeralContainers.env", "name"},
      {"spec.ephemeralContainers.volumeMounts", "mountPath"},
      {"spec.ephemeralContainers.volumeDevices", "devicePath"},
  };
}

} // namespace sluice::controlplane
