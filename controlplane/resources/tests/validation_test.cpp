#include "controlplane/resources/access.hpp"
#include "controlplane/resources/resource.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

const ResourceType &kind(const std::string &name) {
  for (const auto &type : resource_types())
    if (type.kind == name && type.storedApiVersion.empty())
      return type;
  throw std::out_of_range(name);
}

/// "field: message" of every error, as kubectl prints them; the object gets its defaults first.
std::vector<std::string> errors_of(const ResourceType &type, json object, const json *old) {
  std::vector<std::string> lines;
  if (type.set_defaults)
    type.set_defaults(object);
  if (old == nullptr && type.prepare_for_create)
    type.prepare_for_create(object);
  if (old != nullptr && type.prepare_for_update)
    type.prepare_for_update(object, *old);
  for (const auto &error : type.validate(object, old))
    lines.push_back(error.field + ": " + error.message);
  return lines;
}

struct Case {
  const char *name, *kind, *object;
  std::vector<std::string> errors; ///< beginnings; empty: the object is good
  int line;
};
const Case kCases[] = {
    {"a plain service is good", "Service", R"({"spec":{"ports":[{"port":80}]}})", {}, __LINE__},
    {"a port is a number from 1 to 65535",
     "Service",
     R"({"spec":{"ports":[{"port":70000}]}})",
     {"spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
      "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive"},
     __LINE__},
    {"a service needs ports",
     "Service",
     R"({"spec":{"selector":{"a":"b"}}})",
     {"spec.ports: Required value"},
     __LINE__},
    {"a headless one does not", "Service", R"({"spec":{"clusterIP":"None"}})", {}, __LINE__},
    {"several ports need names",
     "Service",
     R"({"spec":{"ports":[{"port":80},{"port":81}]}})",
     {"spec.ports[0].name: Required value", "spec.ports[1].name: Required value"},
     __LINE__},
    {"names of ports are unique",
     "Service",
     R"({"spec":{"ports":[{"name":"a","port":80},{"name":"a","port":81}]}})",
     {"spec.ports[1].name: Duplicate value: \"a\""},
     __LINE__},
    {"one number may serve two protocols, not one twice",
     "Service",
     R"({"spec":{"ports":[{"name":"a","port":53},{"name":"b","port":53,"protocol":"UDP"},{"name":"c","port":53}]}})",
     {"spec.ports[2]: Duplicate value: {\"port\":53,\"protocol\":\"TCP\"}"},
     __LINE__},
    {"an unknown protocol",
     "Service",
     R"({"spec":{"ports":[{"port":80,"protocol":"ICMP"}]}})",
     {"spec.ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
     __LINE__},
    {"an unknown type",
     "Service",
     R"({"spec":{"type":"Magic","ports":[{"port":80}]}})",
     {"spec.type: Unsupported value: \"Magic\""},
     __LINE__},
    {"nodePort belongs to other types",
     "Service",
     R"({"spec":{"ports":[{"port":80,"nodePort":30000}]}})",
     {"spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
     __LINE__},
    {"a service address has no leading zeros",
     "Service",
     R"({"spec":{"clusterIP":"010.96.0.1","ports":[{"port":80}]}})",
     {"spec.clusterIPs[0]: Invalid value: \"010.96.0.1\": must be a valid IP address"},
     __LINE__},
    {"one address per family",
     "Service",
     R"({"spec":{"clusterIPs":["10.96.0.1","10.96.0.2"],"ports":[{"port":80}]}})",
     {"spec.clusterIPs: Invalid value: [\"10.96.0.1\",\"10.96.0.2\"]: may specify no more than one IP for each IP family"},
     __LINE__},
    {"ExternalName needs a name",
     "Service",
     R"({"spec":{"type":"ExternalName"}})",
     {"spec.externalName: Required value"},
     __LINE__},
    {"affinity lasts at most a day",
     "Service",
     R"({"spec":{"ports":[{"port":80}],"sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":86401}}}})",
     {"spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401"},
     __LINE__},
    {"external addresses are not loopback",
     "Service",
     R"({"spec":{"ports":[{"port":80}],"externalIPs":["127.0.0.1"]}})",
     {"spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range"},
     __LINE__},
    {"source ranges have no host bits",
     "Service",
     R"({"spec":{"type":"LoadBalancer","ports":[{"port":80}],"loadBalancerSourceRanges":["10.0.0.1"]}})",
     {"spec.loadBalancerSourceRanges[0]: Invalid value: \"10.0.0.1\": must be a valid CIDR value"},
     __LINE__},
    {"a service name is a DNS-1035 label",
     "Service",
     R"({"metadata":{"name":"a.b"},"spec":{"ports":[{"port":80}]}})",
     {"metadata.name: Invalid value: \"a.b\": a DNS-1035 label must consist of"},
     __LINE__},
    {"a wrong type is named, and nothing else",
     "Service",
     R"({"spec":{"type":"Magic","ports":[{"port":"eighty"}]}})",
     {"spec.ports[0].port: Invalid value: \"eighty\": must be an integer"},
     __LINE__},
    {"a list where an object belongs",
     "Service",
     R"({"spec":[]})",
     {"spec: Invalid value: []: must be an object"},
     __LINE__},

    {"a pod is good", "Pod", R"({"spec":{"containers":[{"name":"c","image":"i"}]}})", {}, __LINE__},
    {"a pod needs containers",
     "Pod",
     R"({"spec":{}})",
     {"spec.containers: Required value"},
     __LINE__},
    {"a container needs a name and an image",
     "Pod",
     R"({"spec":{"containers":[{}]}})",
     {"spec.containers[0].name: Required value", "spec.containers[0].image: Required value"},
     __LINE__},
    {"container names are unique",
     "Pod",
     R"({"spec":{"containers":[{"name":"c","image":"i"},{"name":"c","image":"i"}]}})",
     {"spec.containers[1].name: Duplicate value: \"c\""},
     __LINE__},
    {"container port names have 15 characters",
     "Pod",
     R"({"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80,"name":"abcdefghijklmnop"}]}]}})",
     {"spec.containers[0].ports[0].name: Invalid value: \"abcdefghijklmnop\": must be no more than 15 characters"},
     __LINE__},
    {"the host's port is the container's on the host's network",
     "Pod",
     R"({"spec":{"hostNetwork":true,"containers":[{"name":"c","image":"i","ports":[{"containerPort":80,"hostPort":81}]}]}})",
     {"spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"},
     __LINE__},
    {"a probe does one thing",
     "Pod",
     R"({"spec":{"containers":[{"name":"c","image":"i","readinessProbe":{}}]}})",
     {"spec.containers[0].readinessProbe: Required value: must specify a handler type"},
     __LINE__},

    {"an empty policy is good", "NetworkPolicy", R"({"spec":{}})", {}, __LINE__},
    {"a peer says something",
     "NetworkPolicy",
     R"({"spec":{"ingress":[{"from":[{}]}]}})",
     {"spec.ingress[0].from[0]: Required value: must specify a peer"},
     __LINE__},
    {"ipBlock stands alone",
     "NetworkPolicy",
     R"({"spec":{"ingress":[{"from":[{"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}}]}]}})",
     {"spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"},
     __LINE__},
    {"a cidr has no host bits",
     "NetworkPolicy",
     R"({"spec":{"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.1/8"}}]}]}})",
     {"spec.egress[0].to[0].ipBlock.cidr: Invalid value: \"10.0.0.1/8\": must be a valid CIDR value"},
     __LINE__},
    {"except is inside and smaller",
     "NetworkPolicy",
     R"({"spec":{"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.0.0.0/8","11.0.0.0/16"]}}]}]}})",
     {"spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
      "spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`"},
     __LINE__},
    {"endPort follows a numeric port",
     "NetworkPolicy",
     R"({"spec":{"ingress":[{"ports":[{"port":"http","endPort":90},{"endPort":90},{"port":80,"endPort":79}]}]}})",
     {"spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric",
      "spec.ingress[0].ports[1].endPort: Invalid value: 90: may not be specified when `port` is not specified",
      "spec.ingress[0].ports[2].endPort: Invalid value: 79: must be greater than or equal to `port`"},
     __LINE__},
    {"a requirement needs values",
     "NetworkPolicy",
     R"({"spec":{"podSelector":{"matchExpressions":[{"key":"a","operator":"In"},{"key":"b","operator":"Is"}]}}})",
     {"spec.podSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.podSelector.matchExpressions[1].operator: Invalid value: \"Is\": not a valid selector operator"},
     __LINE__},
    {"policy types",
     "NetworkPolicy",
     R"({"spec":{"policyTypes":["Sideways"]}})",
     {"spec.policyTypes[0]: Unsupported value: \"Sideways\": supported values: \"Egress\", \"Ingress\""},
     __LINE__},

    {"a slice names its address type",
     "EndpointSlice",
     R"({"endpoints":[]})",
     {"addressType: Required value"},
     __LINE__},
    {"addresses are of that type and reachable",
     "EndpointSlice",
     R"({"addressType":"IPv4","endpoints":[{"addresses":["fd00::1"]},{"addresses":["127.0.0.1"]},{"addresses":[]}]})",
     {"endpoints[0].addresses[0]: Invalid value: \"fd00::1\": must be an IPv4 address",
      "endpoints[1].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
      "endpoints[2].addresses: Required value: must contain at least 1 address"},
     __LINE__},
    {"unnamed ports of a slice are one too many",
     "EndpointSlice",
     R"({"addressType":"IPv4","ports":[{"port":1},{"port":2}]})",
     {"ports[1].name: Duplicate value: \"\""},
     __LINE__},

    {"a node has one podCIDR per family",
     "Node",
     R"({"spec":{"podCIDRs":["10.0.0.0/24","10.0.1.0/24"]}})",
     {"spec.podCIDRs: Invalid value: [\"10.0.0.0/24\",\"10.0.1.0/24\"]: may specify no more than one CIDR for each IP family"},
     __LINE__},
    {"the effect of a taint",
     "Node",
     R"({"spec":{"taints":[{"key":"a","effect":"Maybe"}]}})",
     {"spec.taints[0].effect: Unsupported value: \"Maybe\""},
     __LINE__},
    {"a namespace is a DNS label",
     "Namespace",
     R"({"metadata":{"name":"A"}})",
     {"metadata.name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of"},
     __LINE__},
    {"a key of a config map",
     "ConfigMap",
     R"({"data":{"a/b":"c"}})",
     {"data[a/b]: Invalid value: \"a/b\": a valid config key must consist of"},
     __LINE__},
    {"a lease lasts",
     "Lease",
     R"({"spec":{"leaseDurationSeconds":0}})",
     {"spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
     __LINE__},
    {"an event is where its object is",
     "Event",
     R"({"metadata":{"namespace":"a"},"involvedObject":{"namespace":"b"}})",
     {"involvedObject.namespace: Invalid value: \"b\": does not match event.namespace"},
     __LINE__},
};

void expect_lines(const std::vector<std::string> &got, const std::vector<std::string> &wanted) {
  ASSERT_EQ(got.size(), wanted.size()) << (got.empty() ? "no error" : got.front());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(got[i].rfind(wanted[i], 0), 0U) << got[i] << "\nwanted " << wanted[i];
}

TEST(resources_validation, a_new_object_is_good_or_its_fields_are_named) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    expect_lines(errors_of(kind(c.kind), json::parse(c.object), nullptr), c.errors);
  }
}

struct UpdateCase {
  const char *name, *kind, *old, *object;
  std::vector<std::string> errors;
  int line;
};
const UpdateCase kUpdateCases[] = {
    {"a service keeps its address",
     "Service",
     R"({"spec":{"type":"ClusterIP","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"port":80}]}})",
     R"({"spec":{"clusterIP":"10.0.0.2","ports":[{"port":80}]}})",
     {"spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set"},
     __LINE__},
    {"leaving the address out keeps it",
     "Service",
     R"({"spec":{"type":"ClusterIP","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"port":80}]}})",
     R"({"spec":{"ports":[{"port":81}]}})",
     {},
     __LINE__},
    {"the primary family stays",
     "Service",
     R"({"spec":{"type":"ClusterIP","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ipFamilies":["IPv4"],"ports":[{"port":80}]}})",
     R"({"spec":{"ipFamilies":["IPv6"],"ports":[{"port":80}]}})",
     {"spec.ipFamilies[0]: Invalid value: \"IPv6\": primary ipFamily can not be changed once set"},
     __LINE__},
    {"a pod's command stays",
     "Pod",
     R"({"spec":{"containers":[{"name":"c","image":"i"}]}})",
     R"({"spec":{"containers":[{"name":"c","image":"i","command":["x"]}]}})",
     {"spec: Forbidden: pod updates may not change fields other than"},
     __LINE__},
    {"a pod's image may change",
     "Pod",
     R"({"spec":{"containers":[{"name":"c","image":"i:1"}]}})",
     R"({"spec":{"containers":[{"name":"c","image":"i:2"}]}})",
     {},
     __LINE__},
    {"a binding sets the node once",
     "Pod",
     R"({"spec":{"containers":[{"name":"c","image":"i"}]}})",
     R"({"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}})",
     {},
     __LINE__},
    {"a bound pod stays where it is",
     "Pod",
     R"({"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}})",
     R"({"spec":{"nodeName":"m","containers":[{"name":"c","image":"i"}]}})",
     {"spec: Forbidden"},
     __LINE__},
    {"a slice's address type stays",
     "EndpointSlice",
     R"({"addressType":"IPv4"})",
     R"({"addressType":"IPv6"})",
     {"addressType: Invalid value: \"IPv6\": field is immutable"},
     __LINE__},
    {"a node's podCIDR stays",
     "Node",
     R"({"spec":{"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"]}})",
     R"({"spec":{"podCIDR":"10.0.1.0/24","podCIDRs":["10.0.1.0/24"]}})",
     {"spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"},
     __LINE__},
};

TEST(resources_validation, an_update_changes_only_what_it_may) {
  for (const auto &c : kUpdateCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto old = json::parse(c.old);
    if (kind(c.kind).set_defaults)
      kind(c.kind).set_defaults(old);
    expect_lines(errors_of(kind(c.kind), json::parse(c.object), &old), c.errors);
  }
}

TEST(resources_validation, no_shape_of_document_breaks_any_function) {
  const char *shapes[] = {
      "null",
      "1",
      "\"x\"",
      "[]",
      "{}",
      R"({"metadata":1,"spec":2,"status":3})",
      R"({"metadata":{"labels":[]},"spec":{"ports":[1,null,[]],"containers":[1],"taints":{}}})",
      R"({"spec":{"ports":{},"containers":[{"ports":[1],"env":[2]}],"ingress":[1]},"subsets":[1],"endpoints":[1],"ports":[2]})"};
  for (const auto &type : resource_types())
    for (const auto *shape : shapes) {
      SCOPED_TRACE(type.kind + " " + shape);
      auto object = json::parse(shape);
      const auto old = json::object();
      if (type.set_defaults)
        type.set_defaults(object);
      if (type.validate)
        type.validate(object, &old);
      type.cells(object, {});
      for (const auto &label : type.fieldLabels)
        label.value(object);
      type.unknown_fields(object);
      if (type.prepare_for_create)
        type.prepare_for_create(object);
      if (type.prepare_for_update && object.is_object())
        type.prepare_for_update(object, old);
      if (type.prepare_for_status_update)
        type.prepare_for_status_update(object, old);
      EXPECT_EQ(type.cells(object, {}).size(), type.columns.size());
    }
}

TEST(resources_validation, unknown_fields_are_named_with_their_place) {
  const auto pod = json::parse(R"({"apiVersion":"v1","kind":"Pod","bogus":1,
    "metadata":{"name":"x","lables":{}},
    "spec":{"containers":[{"name":"c","ports":[{"prot":1}],"readinessProbe":{"httpGet":{"prt":1}}}],
            "volumes":[{"name":"v","emptyDir":{"anything":1}}]}})");
  const std::vector<std::string> wanted = {"bogus", "metadata.lables",
                                           "spec.containers[0].ports[0].prot",
                                           "spec.containers[0].readinessProbe.httpGet.prt"};
  EXPECT_EQ(kind("Pod").unknown_fields(pod), wanted);
}

} // namespace
} // namespace sluice::controlplane
