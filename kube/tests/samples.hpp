#pragma once
// One object of each kind with every field set to something that is not its default.

#include "kube/objects.hpp"

namespace sluice::kube::samples {

inline ObjectMeta metadata() {
  ObjectMeta meta;
  meta.name = "name";
  meta.namespace_ = "namespace";
  meta.uid = "uid-1";
  meta.resourceVersion = "42";
  meta.generateName = "name-";
  meta.labels = {{"app", "web"}, {"quote\"d", "back\\slash\n"}};
  meta.annotations = {{"unicode", "\xc3\xa9"}};
  meta.ownerReferences = {{"v1", "Pod", "owner", "uid-2", true, true}};
  meta.finalizers = {"one", "two"};
  meta.creationTimestamp = "2026-11-21T08:00:00Z";
  meta.deletionTimestamp = "2026-11-21T08:00:30Z";
  meta.deletionGracePeriodSeconds = 0;
  return meta;
}

template <class Object> Object full();

template <> inline Namespace full<Namespace>() { return {metadata(), "Terminating"}; }

template <> inline Node full<Node>() {
  return {metadata(),
          {"10.1.0.0/24", "fd00::/64"},
          {{"key", "value", "NoSchedule"}},
          true,
          {{"InternalIP", "10.0.0.1"}, {"Hostname", "n"}},
          {{"Ready", "True", "reason", "message", "2026-11-21T08:00:00Z"}}};
}

inline Container container() {
  Container one;
  one.name = "c";
  one.image = "i";
  one.workingDir = "/w";
  one.command = {"sh", "-c"};
  one.args = {"x"};
  one.env = {{"A", "b", ""}, {"IP", "", "status.podIP"}};
  one.ports = {{"web", 80, Protocol::udp}};
  Probe exec;
  exec.kind = Probe::Kind::exec;
  exec.command = {"true"};
  exec.initialDelaySeconds = 1;
  exec.periodSeconds = 2;
  exec.timeoutSeconds = 3;
  exec.successThreshold = 4;
  exec.failureThreshold = 5;
  one.readinessProbe = exec;
  Probe http;
  http.kind = Probe::Kind::http_get;
  http.port = {0, "web"};
  http.path = "/healthz";
  http.host = "h";
  one.livenessProbe = http;
  return one;
}

template <> inline Pod full<Pod>() {
  Pod pod;
  pod.metadata = metadata();
  pod.nodeName = "node";
  pod.serviceAccountName = "sa";
  pod.restartPolicy = "Never";
  pod.hostname = "host";
  pod.subdomain = "sub";
  pod.schedulerName = "sched";
  pod.hostNetwork = true;
  pod.automountServiceAccountToken = false;
  pod.terminationGracePeriodSeconds = 0;
  pod.nodeSelector = {{"disk", "ssd"}};
  pod.tolerations = {{"k", "Equal", "v", "NoExecute"}};
  pod.containers = {container()};
  pod.initContainers = {container(), container()};
  pod.phase = "Running";
  pod.hostIP = "10.0.0.1";
  pod.podIPs = {"10.1.0.5", "fd00::5"};
  pod.conditions = {{"Ready", "True", "", "", ""}};
  pod.containerStatuses = {{"c", true, 3, "terminated", "Error", "boom", 7, "2026-11-21T08:00:00Z"},
                           {"d", false, 0, "waiting", "CrashLoop", "", 0, ""}};
  return pod;
}

template <> inline Service full<Service>() {
  Service service;
  service.metadata = metadata();
  service.type = ServiceType::LoadBalancer;
  service.clusterIPs = {"10.96.0.1", "fd00::1"};
  service.ipFamilies = {Family::ipv4, Family::ipv6};
  service.ipFamilyPolicy = "RequireDualStack";
  service.ports = {{"dns", Protocol::udp, 53, 30053, {0, "dns"}, "kubernetes.io/dns"},
                   {"web", Protocol::sctp, 80, 0, {8080, ""}, ""}};
  service.selector = {{"app", "web"}};
  service.externalIPs = {"192.0.2.1"};
  service.loadBalancerSourceRanges = {"198.51.100.0/24"};
  service.externalTrafficPolicy = TrafficPolicy::Local;
  service.internalTrafficPolicy = TrafficPolicy::Local;
  service.sessionAffinityClientIP = true;
  service.affinityTimeoutSeconds = 60;
  service.publishNotReadyAddresses = true;
  service.healthCheckNodePort = 31000;
  service.trafficDistribution = "PreferClose";
  service.loadBalancerClass = "x/y";
  service.loadBalancerIP = "192.0.2.2";
  service.loadBalancerIngress = {{"192.0.2.3", "", "Proxy"}, {"", "lb.example", ""}};
  return service;
}

template <> inline ServiceAccount full<ServiceAccount>() { return {metadata()}; }
template <> inline ConfigMap full<ConfigMap>() { return {metadata(), {{"k", "v"}, {"empty", ""}}}; }

template <> inline Event full<Event>() {
  return {metadata(),
          "Pod",
          "ns",
          "name",
          "uid",
          "Warning",
          "Reason",
          "message",
          "comp",
          "host",
          "2026-11-21T08:00:00Z",
          "2026-11-21T08:00:01Z",
          4};
}

template <> inline EndpointSlice full<EndpointSlice>() {
  SliceEndpoint one;
  one.addresses = {"10.1.0.5"};
  one.conditions = {true, false, true};
  one.nodeName = "node";
  one.zone = "zone";
  one.hostname = "host";
  one.hintZones = {"a", "b"};
  one.hintNodes = {"n"};
  one.targetKind = "Pod";
  one.targetNamespace = "ns";
  one.targetName = "pod";
  one.targetUid = "uid";
  SliceEndpoint unknown;
  unknown.conditions = {std::nullopt, false, std::nullopt};
  return {metadata(),
          "IPv4",
          {{"web", Protocol::tcp, 80, "h2c"}, {"", std::nullopt, std::nullopt, ""}},
          {one, unknown}};
}

template <> inline Lease full<Lease>() {
  return {metadata(), "me", "2026-11-21T08:00:00.000000Z", "2026-11-21T08:00:01.000000Z", 40};
}

template <> inline NetworkPolicy full<NetworkPolicy>() {
  NetworkPolicy policy;
  policy.metadata = metadata();
  policy.podSelector = {{{"app", "web"}}, {{"tier", "In", {"a", "b"}}, {"x", "Exists", {}}}};
  policy.policyTypes = {"Ingress", "Egress"};
  NetworkPolicyPeer pods, everywhere, block;
  pods.podSelector = LabelSelector{{{"app", "db"}}, {}};
  everywhere.podSelector = LabelSelector{};
  everywhere.namespaceSelector = LabelSelector{};
  block.ipBlock = IpBlock{"10.0.0.0/8", {"10.1.0.0/16"}};
  policy.ingress = {{{pods, everywhere}, {{Protocol::udp, IntOrString{53, ""}, 60}}}, {}};
  policy.egress = {{{block}, {{std::nullopt, IntOrString{0, "web"}, std::nullopt}, {}}}};
  return policy;
}

} // namespace sluice::kube::samples
