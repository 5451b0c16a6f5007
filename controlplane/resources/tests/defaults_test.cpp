#include "controlplane/resources/resource.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

struct Case {
  const char *name, *apiVersion, *kind, *object, *result; ///< `result` is merged over `object`
  int line;
};
const Case kCases[] = {
    {"a service", "v1", "Service", R"({"spec":{"ports":[{"port":80}]}})",
     R"({"spec":{"type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster","ports":[{"port":80,"protocol":"TCP","targetPort":80}]}})",
     __LINE__},
    {"a load balancer", "v1", "Service",
     R"({"spec":{"type":"LoadBalancer","sessionAffinity":"ClientIP","ports":[]}})",
     R"({"spec":{"externalTrafficPolicy":"Cluster","internalTrafficPolicy":"Cluster","allocateLoadBalancerNodePorts":true,"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":10800}}}})",
     __LINE__},
    {"an external name has none of the address fields", "v1", "Service",
     R"({"spec":{"type":"ExternalName","externalName":"a.b"}})",
     R"({"spec":{"sessionAffinity":"None"}})", __LINE__},
    {"a policy with egress rules", "networking.k8s.io/v1", "NetworkPolicy",
     R"({"spec":{"egress":[{"ports":[{"port":53}]}]}})",
     R"({"spec":{"podSelector":{},"policyTypes":["Ingress","Egress"],"egress":[{"ports":[{"port":53,"protocol":"TCP"}]}]}})",
     __LINE__},
    {"a namespace is labelled with its name", "v1", "Namespace", R"({"metadata":{"name":"a"}})",
     R"({"metadata":{"labels":{"kubernetes.io/metadata.name":"a"}}})", __LINE__},
    {"a node's first podCIDR", "v1", "Node", R"({"spec":{"podCIDR":"10.0.0.0/24"}})",
     R"({"spec":{"podCIDRs":["10.0.0.0/24"]}})", __LINE__},
    {"ports of a slice", "discovery.k8s.io/v1", "EndpointSlice", R"({"ports":[{"port":80}]})",
     R"({"endpoints":[],"ports":[{"port":80,"name":"","protocol":"TCP"}]})", __LINE__},
};

TEST(resources_defaults, what_the_client_left_out_is_filled_in) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto *type = find_by_kind(c.apiVersion, c.kind);
    ASSERT_NE(type, nullptr);
    auto object = json::parse(c.object), wanted = object;
    wanted.merge_patch(json::parse(c.result));
    type->set_defaults(object);
    EXPECT_EQ(object, wanted);
    type->set_defaults(object);
    EXPECT_EQ(object, wanted) << "a second time";
  }
}

TEST(resources_defaults, a_pod_gets_what_the_api_server_gives_it) {
  const auto *type = find_by_kind("v1", "Pod");
  auto pod = json::parse(
      R"({"spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Running"}})");
  type->set_defaults(pod);
  type->prepare_for_create(pod);
  EXPECT_EQ(pod["spec"]["restartPolicy"], "Always");
  EXPECT_EQ(pod["spec"]["serviceAccountName"], "default");
  EXPECT_EQ(pod["spec"]["tolerations"].size(), 2U);
  EXPECT_EQ(pod["spec"]["containers"][0]["imagePullPolicy"], "Always");
  EXPECT_EQ(pod["status"], json::parse(R"({"phase":"Pending","qosClass":"BestEffort"})"));
  EXPECT_EQ(type->default_grace_seconds(pod), 0) << "nobody runs it yet";
  pod["spec"]["nodeName"] = "n1";
  EXPECT_EQ(type->default_grace_seconds(pod), 30);
}

TEST(resources_defaults, a_node_is_not_ready_until_it_says_so) {
  const auto *type = find_by_kind("v1", "Node");
  auto node = json::object();
  type->prepare_for_create(node);
  EXPECT_EQ(node["spec"]["taints"],
            json::parse(R"([{"key":"node.kubernetes.io/not-ready","effect":"NoSchedule"}])"));
}

TEST(resources_defaults, a_service_that_changes_its_type_drops_what_only_the_old_one_had) {
  const auto *type = find_by_kind("v1", "Service");
  const auto old =
      json::parse(R"({"spec":{"type":"NodePort","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],
    "externalTrafficPolicy":"Cluster","ports":[{"port":80,"protocol":"TCP","nodePort":30080}]}})");
  auto object = old;
  object["spec"]["type"] = "ClusterIP";
  type->set_defaults(object);
  type->prepare_for_update(object, old);
  EXPECT_FALSE(object["spec"]["ports"][0].contains("nodePort"));
  EXPECT_FALSE(object["spec"].contains("externalTrafficPolicy"));
  EXPECT_EQ(object["spec"]["clusterIP"], "10.0.0.1");
  EXPECT_TRUE(type->validate(object, &old).empty());
}

TEST(resources_defaults, node_ports_stay_with_their_port) {
  const auto *type = find_by_kind("v1", "Service");
  const auto old =
      json::parse(R"({"spec":{"type":"NodePort","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],
    "ports":[{"port":80,"protocol":"TCP","nodePort":30080}]}})");
  auto object = json::parse(
      R"({"spec":{"type":"NodePort","ports":[{"name":"b","port":81},{"name":"a","port":80}]}})");
  type->set_defaults(object);
  type->prepare_for_update(object, old);
  EXPECT_EQ(object["spec"]["ports"][1]["nodePort"], 30080);
  EXPECT_FALSE(object["spec"]["ports"][0].contains("nodePort"));
}

TEST(resources_defaults, one_event_has_two_spellings) {
  const auto *type = find_by_kind("events.k8s.io/v1", "Event");
  const auto event = json::parse(
      R"({"apiVersion":"events.k8s.io/v1","kind":"Event","note":"n","regarding":{"kind":"Node"},"reportingController":"kube-proxy","deprecatedCount":2})");
  auto core = event;
  type->to_stored(core);
  EXPECT_EQ(
      core,
      json::parse(
          R"({"apiVersion":"v1","kind":"Event","message":"n","involvedObject":{"kind":"Node"},"reportingComponent":"kube-proxy","count":2})"));
  type->from_stored(core);
  EXPECT_EQ(core, event);
}

} // namespace
} // namespace sluice::controlplane
