#pragma once
// The Kubernetes objects that agents read, as values. Only fields that some part of Sluice uses are
// here; unknown fields of an object are ignored when it is decoded. The control plane does not use
// these types for storage: it keeps whole documents, so that no field is lost.
//
// Names are the API's own. An absent optional field is `nullopt` where absent and zero differ.

#include "net/ip_address.hpp"
#include "net/port.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::kube {

using Labels = std::map<std::string, std::string>;

struct OwnerReference {
  std::string apiVersion, kind, name, uid;
  bool controller = false;
  bool blockOwnerDeletion = false;
  friend bool operator==(const OwnerReference &, const OwnerReference &) = default;
};

struct ObjectMeta {
  std::string name, namespace_, uid, resourceVersion, generateName;
  Labels labels, annotations;
  std::vector<OwnerReference> ownerReferences;
  std::vector<std::string> finalizers;
  std::string creationTimestamp;                ///< RFC 3339
  std::optional<std::string> deletionTimestamp; ///< set: the object is going away
  std::optional<std::int64_t> deletionGracePeriodSeconds;
  friend bool operator==(const ObjectMeta &, const ObjectMeta &) = default;
};

/// Identity of a namespaced object; `namespace_` is empty for cluster-wide kinds.
struct ObjectKey {
  std::string namespace_, name;
  /// "namespace/name" or "name".
  std::string str() const { return namespace_.empty() ? name : namespace_ + "/" + name; }
  friend auto operator<=>(const ObjectKey &, const ObjectKey &) = default;
};

/// A number or a name (targetPort, probe ports, NetworkPolicy ports).
struct IntOrString {
  std::int32_t number = 0;
  std::string name; ///< not empty: it is a name
  friend bool operator==(const IntOrString &, const IntOrString &) = default;
};

// ---- core/v1 ---------------------------------------------------------------------------------

struct Namespace {
  ObjectMeta metadata;
  std::string phase; ///< Active, Terminating
  friend bool operator==(const Namespace &, const Namespace &) = default;
};

struct Taint {
  std::string key, value, effect;
  friend bool operator==(const Taint &, const Taint &) = default;
};
struct NodeAddress {
  std::string type, address; ///< InternalIP, ExternalIP, Hostname
  friend bool operator==(const NodeAddress &, const NodeAddress &) = default;
};
struct Condition {
  std::string type, status, reason, message, lastTransitionTime;
  friend bool operator==(const Condition &, const Condition &) = default;
};
struct Node {
  ObjectMeta metadata;
  std::vector<std::string> podCIDRs; ///< text, as the API has it; spec.podCIDR if only that is set
  std::vector<Taint> taints;
  bool unschedulable = false;
  std::vector<NodeAddress> addresses;
  std::vector<Condition> conditions;
  friend bool operator==(const Node &, const Node &) = default;
};

struct ContainerPort {
  std::string name;
  std::int32_t containerPort = 0;
  Protocol protocol = Protocol::tcp;
  friend bool operator==(const ContainerPort &, const ContainerPort &) = default;
};
struct EnvVar {
  std::string name, value;
  std::string fieldPath; ///< valueFrom.fieldRef.fieldPath, if not empty
  friend bool operator==(const EnvVar &, const EnvVar &) = default;
};
struct Probe {
  enum class Kind : std::uint8_t { exec, http_get, tcp_socket };
  Kind kind = Kind::tcp_socket;
  std::vector<std::string> command; ///< exec
  IntOrString port;                 ///< http_get, tcp_socket
  std::string path = "/", host;     ///< http_get
  std::int32_t initialDelaySeconds = 0, periodSeconds = 10, timeoutSeconds = 1;
  std::int32_t successThreshold = 1, failureThreshold = 3;
  friend bool operator==(const Probe &, const Probe &) = default;
};
struct Container {
  std::string name, image, workingDir;
  std::vector<std::string> command, args;
  std::vector<EnvVar> env;
  std::vector<ContainerPort> ports;
  std::optional<Probe> readinessProbe, livenessProbe;
  friend bool operator==(const Container &, const Container &) = default;
};
struct Toleration {
  std::string key, operator_, value, effect;
  friend bool operator==(const Toleration &, const Toleration &) = default;
};
struct ContainerStatus {
  std::string name;
  bool ready = false;
  std::int32_t restartCount = 0;
  std::string state;  ///< waiting, running, terminated
  std::string reason; ///< of waiting or terminated
  std::string message;
  std::int32_t exitCode = 0;
  std::string startedAt;
  friend bool operator==(const ContainerStatus &, const ContainerStatus &) = default;
};
struct Pod {
  ObjectMeta metadata;
  std::string nodeName, serviceAccountName, restartPolicy, hostname, subdomain, schedulerName;
  bool hostNetwork = false;
  std::optional<bool> automountServiceAccountToken;
  std::int64_t terminationGracePeriodSeconds = 30;
  Labels nodeSelector;
  std::vector<Toleration> tolerations;
  std::vector<Container> containers, initContainers;
  std::string phase; ///< Pending, Running, Succeeded, Failed
  std::string hostIP;
  std::vector<std::string> podIPs; ///< status.podIPs, or podIP if only that is set
  std::vector<Condition> conditions;
  std::vector<ContainerStatus> containerStatuses;
  friend bool operator==(const Pod &, const Pod &) = default;
};
/// Condition Ready is True.
bool is_ready(const Pod &pod) noexcept;

enum class ServiceType : std::uint8_t { ClusterIP, NodePort, LoadBalancer, ExternalName };
enum class TrafficPolicy : std::uint8_t { Cluster, Local };
struct ServicePort {
  std::string name;
  Protocol protocol = Protocol::tcp;
  std::int32_t port = 0, nodePort = 0;
  IntOrString targetPort;
  std::string appProtocol;
  friend bool operator==(const ServicePort &, const ServicePort &) = default;
};
struct LoadBalancerIngress {
  std::string ip, hostname, ipMode; ///< ipMode: "VIP" (also if absent), "Proxy"
  friend bool operator==(const LoadBalancerIngress &, const LoadBalancerIngress &) = default;
};
struct Service {
  ObjectMeta metadata;
  ServiceType type = ServiceType::ClusterIP;
  std::vector<std::string>
      clusterIPs; ///< clusterIP first; "None" for headless; text as the API has it
  std::vector<Family> ipFamilies;
  std::string ipFamilyPolicy;
  std::vector<ServicePort> ports;
  Labels selector;
  std::vector<std::string> externalIPs, loadBalancerSourceRanges;
  TrafficPolicy externalTrafficPolicy = TrafficPolicy::Cluster;
  TrafficPolicy internalTrafficPolicy = TrafficPolicy::Cluster;
  bool sessionAffinityClientIP = false;
  std::int32_t affinityTimeoutSeconds = 10800;
  bool publishNotReadyAddresses = false;
  std::int32_t healthCheckNodePort = 0;
  std::string trafficDistribution, loadBalancerClass, loadBalancerIP;
  std::vector<LoadBalancerIngress> loadBalancerIngress; ///< status.loadBalancer.ingress
  friend bool operator==(const Service &, const Service &) = default;
};

struct ServiceAccount {
  ObjectMeta metadata;
  friend bool operator==(const ServiceAccount &, const ServiceAccount &) = default;
};
struct ConfigMap {
  ObjectMeta metadata;
  std::map<std::string, std::string> data;
  friend bool operator==(const ConfigMap &, const ConfigMap &) = default;
};
struct Event {
  ObjectMeta metadata;
  std::string involvedKind, involvedNamespace, involvedName, involvedUid;
  std::string type, reason, message, sourceComponent, sourceHost; ///< type: Normal, Warning
  std::string firstTimestamp, lastTimestamp;
  std::int32_t count = 0;
  friend bool operator==(const Event &, const Event &) = default;
};

// ---- discovery.k8s.io/v1 ---------------------------------------------------------------------

struct EndpointConditions {
  std::optional<bool> ready, serving, terminating;
  friend bool operator==(const EndpointConditions &, const EndpointConditions &) = default;
};
struct SliceEndpoint {
  std::vector<std::string> addresses;
  EndpointConditions conditions;
  std::string nodeName, zone, hostname;
  std::vector<std::string> hintZones, hintNodes;
  std::string targetKind, targetNamespace, targetName, targetUid; ///< targetRef
  friend bool operator==(const SliceEndpoint &, const SliceEndpoint &) = default;
};
struct SlicePort {
  std::optional<std::string> name;
  std::optional<Protocol> protocol;
  std::optional<std::int32_t> port;
  std::string appProtocol;
  friend bool operator==(const SlicePort &, const SlicePort &) = default;
};
struct EndpointSlice {
  ObjectMeta metadata;
  std::string addressType; ///< IPv4, IPv6, FQDN
  std::vector<SlicePort> ports;
  std::vector<SliceEndpoint> endpoints;
  friend bool operator==(const EndpointSlice &, const EndpointSlice &) = default;
};

// ---- coordination.k8s.io/v1 ------------------------------------------------------------------

struct Lease {
  ObjectMeta metadata;
  std::string holderIdentity, acquireTime, renewTime;
  std::int32_t leaseDurationSeconds = 0;
  friend bool operator==(const Lease &, const Lease &) = default;
};

// ---- networking.k8s.io/v1 --------------------------------------------------------------------

struct LabelSelectorRequirement {
  std::string key, operator_; ///< In, NotIn, Exists, DoesNotExist
  std::vector<std::string> values;
  friend bool operator==(const LabelSelectorRequirement &,
                         const LabelSelectorRequirement &) = default;
};
struct LabelSelector {
  Labels matchLabels;
  std::vector<LabelSelectorRequirement> matchExpressions;
  friend bool operator==(const LabelSelector &, const LabelSelector &) = default;
};
struct IpBlock {
  std::string cidr;
  std::vector<std::string> except;
  friend bool operator==(const IpBlock &, const IpBlock &) = default;
};
struct NetworkPolicyPeer {
  std::optional<LabelSelector> podSelector, namespaceSelector;
  std::optional<IpBlock> ipBlock;
  friend bool operator==(const NetworkPolicyPeer &, const NetworkPolicyPeer &) = default;
};
struct NetworkPolicyPort {
  std::optional<Protocol> protocol;
  std::optional<IntOrString> port;
  std::optional<std::int32_t> endPort;
  friend bool operator==(const NetworkPolicyPort &, const NetworkPolicyPort &) = default;
};
struct NetworkPolicyRule {
  std::vector<NetworkPolicyPeer> peers; ///< from or to
  std::vector<NetworkPolicyPort> ports;
  friend bool operator==(const NetworkPolicyRule &, const NetworkPolicyRule &) = default;
};
struct NetworkPolicy {
  ObjectMeta metadata;
  LabelSelector podSelector;
  std::vector<std::string> policyTypes;
  std::vector<NetworkPolicyRule> ingress, egress;
  friend bool operator==(const NetworkPolicy &, const NetworkPolicy &) = default;
};

} // namespace sluice::kube
