#include "controlplane/protobuf/messages.hpp"

#include <iterator>

namespace sluice::controlplane {
namespace {

using enum WireKind;
using enum Occurs;

// ---- apimachinery/pkg/apis/meta/v1

constexpr MessageField kOwnerReference[] = {
    {1, "kind", text},
    {3, "name", text},
    {4, "uid", text},
    {5, "apiVersion", text},
    {6, "controller", boolean, optional},
    {7, "blockOwnerDeletion", boolean, optional},
};
constexpr MessageField kMeta[] = {
    {1, "name", text},
    {2, "generateName", text},
    {3, "namespace", text},
    {5, "uid", text},
    {6, "resourceVersion", text},
    {7, "generation", integer},
    {8, "creationTimestamp", WireKind::time},
    {9, "deletionTimestamp", WireKind::time},
    {10, "deletionGracePeriodSeconds", integer, optional},
    {11, "labels", text_map},
    {12, "annotations", text_map},
    {13, "ownerReferences", message, many, kOwnerReference},
    {14, "finalizers", text, many},
};
constexpr MessageField kCondition[] = {
    {1, "type", text},   {2, "status", text},  {4, "lastTransitionTime", WireKind::time},
    {5, "reason", text}, {6, "message", text},
};
constexpr MessageField kPreconditions[] = {
    {1, "uid", text, optional},
    {2, "resourceVersion", text, optional},
};
constexpr MessageField kDeleteOptions[] = {
    {1, "gracePeriodSeconds", integer, optional},
    {2, "preconditions", message, optional, kPreconditions},
    {3, "orphanDependents", boolean, optional},
    {4, "propagationPolicy", text, optional},
    {5, "dryRun", text, many},
};

// ---- core/v1

constexpr MessageField kNamespaceSpec[] = {{1, "finalizers", text, many}};
constexpr MessageField kNamespaceStatus[] = {
    {1, "phase", text},
    {2, "conditions", message, many, kCondition},
};
constexpr MessageField kNamespace[] = {
    {1, "metadata", message, once, kMeta},
    {2, "spec", message, once, kNamespaceSpec},
    {3, "status", message, once, kNamespaceStatus},
};
constexpr MessageField kConfigMap[] = {
    {1, "metadata", message, once, kMeta},
    {2, "data", text_map},
    {3, "binaryData", bytes_map},
    {4, "immutable", boolean, optional},
};
constexpr MessageField kObjectReference[] = {
    {1, "kind", text},       {2, "namespace", text},       {3, "name", text},      {4, "uid", text},
    {5, "apiVersion", text}, {6, "resourceVersion", text}, {7, "fieldPath", text},
};
constexpr MessageField kLocalReference[] = {{1, "name", text}};
constexpr MessageField kServiceAccount[] = {
    {1, "metadata", message, once, kMeta},
    {2, "secrets", message, many, kObjectReference},
    {3, "imagePullSecrets", message, many, kLocalReference},
    {4, "automountServiceAccountToken", boolean, optional},
};
constexpr MessageField kServicePort[] = {
    {1, "name", text},        {2, "protocol", text},
    {3, "port", integer},     {4, "targetPort", int_or_string},
    {5, "nodePort", integer}, {6, "appProtocol", text, optional},
};
constexpr MessageField kClientIp[] = {{1, "timeoutSeconds", integer, optional}};
constexpr MessageField kAffinityConfig[] = {{1, "clientIP", message, optional, kClientIp}};
constexpr MessageField kServiceSpec[] = {
    {1, "ports", message, many, kServicePort},
    {2, "selector", text_map},
    {3, "clusterIP", text},
    {4, "type", text},
    {5, "externalIPs", text, many},
    {7, "sessionAffinity", text},
    {8, "loadBalancerIP", text},
    {9, "loadBalancerSourceRanges", text, many},
    {10, "externalName", text},
    {11, "externalTrafficPolicy", text},
    {12, "healthCheckNodePort", integer},
    {13, "publishNotReadyAddresses", boolean},
    {14, "sessionAffinityConfig", message, optional, kAffinityConfig},
    {17, "ipFamilyPolicy", text, optional},
    {18, "clusterIPs", text, many},
    {19, "ipFamilies", text, many},
    {20, "allocateLoadBalancerNodePorts", boolean, optional},
    {21, "loadBalancerClass", text, optional},
    {22, "internalTrafficPolicy", text, optional},
    {23, "trafficDistribution", text, optional},
};
constexpr MessageField kIngress[] = {
    {1, "ip", text},
    {2, "hostname", text},
    {3, "ipMode", text, optional},
};
constexpr MessageField kLoadBalancer[] = {{1, "ingress", message, many, kIngress}};
constexpr MessageField kServiceStatus[] = {{1, "loadBalancer", message, once, kLoadBalancer}};
constexpr MessageField kService[] = {
    {1, "metadata", message, once, kMeta},
    {2, "spec", message, once, kServiceSpec},
    {3, "status", message, once, kServiceStatus},
};
constexpr MessageField kEventSource[] = {{1, "component", text}, {2, "host", text}};
constexpr MessageField kEventSeries[] = {
    {1, "count", integer},
    {2, "lastObservedTime", micro_time},
};
constexpr MessageField kEvent[] = {
    {1, "metadata", message, once, kMeta},
    {2, "involvedObject", message, once, kObjectReference},
    {3, "reason", text},
    {4, "message", text},
    {5, "source", message, once, kEventSource},
    {6, "firstTimestamp", WireKind::time},
    {7, "lastTimestamp", WireKind::time},
    {8, "count", integer},
    {9, "type", text},
    {10, "eventTime", micro_time},
    {11, "series", message, optional, kEventSeries},
    {12, "action", text},
    {13, "related", message, optional, kObjectReference},
    {14, "reportingComponent", text},
    {15, "reportingInstance", text},
};

// ---- events.k8s.io/v1

constexpr MessageField kNewEvent[] = {
    {1, "metadata", message, once, kMeta},
    {2, "eventTime", micro_time},
    {3, "series", message, optional, kEventSeries},
    {4, "reportingController", text},
    {5, "reportingInstance", text},
    {6, "action", text},
    {7, "reason", text},
    {8, "regarding", message, once, kObjectReference},
    {9, "related", message, optional, kObjectReference},
    {10, "note", text},
    {11, "type", text},
    {12, "deprecatedSource", message, once, kEventSource},
    {13, "deprecatedFirstTimestamp", WireKind::time},
    {14, "deprecatedLastTimestamp", WireKind::time},
    {15, "deprecatedCount", integer},
};

// ---- coordination.k8s.io/v1

constexpr MessageField kLeaseSpec[] = {
    {1, "holderIdentity", text, optional},
    {2, "leaseDurationSeconds", integer, optional},
    {3, "acquireTime", micro_time},
    {4, "renewTime", micro_time},
    {5, "leaseTransitions", integer, optional},
    {6, "strategy", text, optional},
    {7, "preferredHolder", text, optional},
};
constexpr MessageField kLease[] = {
    {1, "metadata", message, once, kMeta},
    {2, "spec", message, once, kLeaseSpec},
};

// ---- authentication.k8s.io/v1, authorization.k8s.io/v1, policy/v1

constexpr MessageField kBoundObject[] = {
    {1, "kind", text},
    {2, "apiVersion", text},
    {3, "name", text},
    {4, "uid", text},
};
constexpr MessageField kTokenRequestSpec[] = {
    {1, "audiences", text, many},
    {3, "boundObjectRef", message, optional, kBoundObject},
    {4, "expirationSeconds", integer, optional},
};
constexpr MessageField kTokenRequest[] = {
    {1, "metadata", message, once, kMeta},
    {2, "spec", message, once, kTokenRequestSpec},
};
constexpr MessageField kResourceAttributes[] = {
    {1, "namespace", text}, {2, "verb", text},        {3, "group", text}, {4, "version", text},
    {5, "resource", text},  {6, "subresource", text}, {7, "name", text},
};
constexpr MessageField kNonResourceAttributes[] = {{1, "path", text}, {2, "verb", text}};
constexpr MessageField kSelfAccessSpec[] = {
    {1, "resourceAttributes", message, optional, kResourceAttributes},
    {2, "nonResourceAttributes", message, optional, kNonResourceAttributes},
};
constexpr MessageField kSelfSubjectAccessReview[] = {
    {1, "metadata", message, once, kMeta},
    {2, "spec", message, once, kSelfAccessSpec},
};
constexpr MessageField kSelfRulesSpec[] = {{1, "namespace", text}};
constexpr MessageField kSelfSubjectRulesReview[] = {
    {1, "metadata", message, once, kMeta},
    {2, "spec", message, once, kSelfRulesSpec},
};
constexpr MessageField kSelfSubjectReview[] = {{1, "metadata", message, once, kMeta}};
constexpr MessageField kEviction[] = {
    {1, "metadata", message, once, kMeta},
    {2, "deleteOptions", message, optional, kDeleteOptions},
};

constexpr MessageType kTypes[] = {
    {"v1", "Namespace", kNamespace},
    {"v1", "ConfigMap", kConfigMap},
    {"v1", "ServiceAccount", kServiceAccount},
    {"v1", "Service", kService},
    {"v1", "Event", kEvent},
    {"events.k8s.io/v1", "Event", kNewEvent},
    {"coordination.k8s.io/v1", "Lease", kLease},
    {"authentication.k8s.io/v1", "TokenRequest", kTokenRequest},
    {"authentication.k8s.io/v1", "SelfSubjectReview", kSelfSubjectReview},
    {"authorization.k8s.io/v1", "SelfSubjectAccessReview", kSelfSubjectAccessReview},
    {"authorization.k8s.io/v1", "SelfSubjectRulesReview", kSelfSubjectRulesReview},
    {"policy/v1", "Eviction", kEviction},
    {"", "DeleteOptions", kDeleteOptions},
};

} // namespace

std::span<const MessageType> message_types() noexcept { return kTypes; }

} // namespace sluice::controlplane
