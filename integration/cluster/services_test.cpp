// What a Service can say, said with kubectl and seen with curl: node ports, external and load
// balancer addresses, traffic policies, session affinity. Each answer names the pod and the address
// of the client that it saw.

#include "integration/cluster/cluster_under_test.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <sstream>
#include <unistd.h>

namespace sluice::integration {
namespace {

using namespace std::chrono_literals;

constexpr const char *kService = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080}]
)";

std::string pod(const std::string &name, const std::string &node, const std::string &app) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: " + app +
         "}}\nspec:\n  nodeName: " + node +
         "\n  terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: none\n"
         "    command: [sluicectl, netexec, --http, '8080']\n"
         "    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}\n";
}

using Answers = std::set<std::string>;

class integration_services : public testing::Test {
protected:
  static void SetUpTestSuite() {
    cluster_ = std::make_unique<ClusterUnderTest>("svc-" + std::to_string(::getpid()), 2);
    ASSERT_EQ(cluster_->create(), "");
    const auto applied = cluster_->kubectl("apply -f -", kService + pod("web-1", "node1", "web") +
                                                             pod("web-2", "node2", "web") +
                                                             pod("client-1", "node1", "client"));
    ASSERT_TRUE(applied.ok()) << applied.text;
    ASSERT_TRUE(eventually(60s, [] {
      return cluster_->kubectl("wait --for=condition=Ready pod --all --timeout=1s").ok();
    }));
    node1_ = get("node node1", "{.status.addresses[0].address}");
    node2_ = get("node node2", "{.status.addresses[0].address}");
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  static std::string get(const std::string &what, const std::string &jsonpath) {
    return cluster_->kubectl("get " + what + " -o jsonpath=" + quoted(jsonpath)).text;
  }
  static void patch(const std::string &json) {
    const auto done = cluster_->kubectl("patch service web --type=merge -p " + quoted(json));
    ASSERT_TRUE(done.ok()) << done.text;
  }
  /// As a load balancer's controller does it, in words that every kubectl knows.
  static void set_load_balancer_address(const std::string &ip) {
    auto service = cluster_->kubectl("get --raw /api/v1/namespaces/default/services/web").text;
    const std::string none = "\"loadBalancer\":{}";
    const auto at = service.find(none);
    ASSERT_NE(at, std::string::npos) << service;
    service.replace(at, none.size(), "\"loadBalancer\":{\"ingress\":[{\"ip\":\"" + ip + "\"}]}");
    const auto done = cluster_->kubectl(
        "replace --raw /api/v1/namespaces/default/services/web/status -f -", service);
    ASSERT_TRUE(done.ok()) << done.text;
  }

  /// Which pods answered in 24 tries ("FAILED" for a failure), each with whom it saw if asked for.
  static Answers answers(const std::string &client, const std::string &host, bool sources = false) {
    const auto loop = "for i in $(seq 24); do curl -s --max-time 2 http://" + host +
                      "/ || echo FAILED; echo; done";
    std::istringstream in(cluster_->in(client, loop, 90s).text);
    Answers found;
    for (std::string line; std::getline(in, line);) {
      const auto name = line.substr(0, line.find(' '));
      const auto at = line.find("client=");
      if (!sources || at == std::string::npos) {
        if (!name.empty())
          found.insert(name);
        continue;
      }
      const auto seen = line.substr(at + 7, line.find(' ', at) - at - 7);
      found.insert(name + " saw " + seen.substr(0, seen.rfind(':')));
    }
    return found;
  }
  /// Rules follow within moments; a wrong answer stays wrong.
  static void expect(const Answers &wanted, const std::string &client, const std::string &host) {
    Answers got;
    EXPECT_TRUE(eventually(10s, [&] { return (got = answers(client, host)) == wanted; }))
        << client << " to " << host << ": " << testing::PrintToString(got);
  }

  /// curl's 28 is a timeout.
  static void expect_silence(const std::string &client, const std::string &host) {
    std::string got;
    EXPECT_TRUE(eventually(
        10s,
        [&] {
          got = cluster_->in(client, "curl -s --max-time 1 http://" + host + "/; echo $?").text;
          return got == "28\n";
        }))
        << client << " to " << host << ": " << got;
  }

  static std::unique_ptr<ClusterUnderTest> cluster_;
  static std::string node1_, node2_;
};

std::unique_ptr<ClusterUnderTest> integration_services::cluster_;
std::string integration_services::node1_, integration_services::node2_;

TEST_F(integration_services, a_node_port_answers_on_every_node_for_everybody) {
  for (const auto *client : {"pod/client-1", "node1", "node2"})
    for (const auto &node : {node1_, node2_})
      expect({"web-1", "web-2"}, client, node + ":30080");
}

TEST_F(integration_services,
       with_external_policy_Local_the_client_is_seen_and_no_other_node_serves) {
  patch(R"({"spec":{"externalTrafficPolicy":"Local"}})");
  expect({"web-1"}, "node2", node1_ + ":30080");
  EXPECT_EQ(answers("node2", node1_ + ":30080", true), (Answers{"web-1 saw " + node2_}));
  expect({"web-1", "web-2"}, "node1", node1_ + ":30080"); // the short circuit
  patch(R"({"spec":{"externalTrafficPolicy":"Cluster"}})");
  expect({"web-1", "web-2"}, "node2", node1_ + ":30080");
}

TEST_F(integration_services, with_internal_policy_Local_a_pod_reaches_its_own_node) {
  const auto ip = get("service web", "{.spec.clusterIP}");
  patch(R"({"spec":{"internalTrafficPolicy":"Local"}})");
  expect({"web-1"}, "pod/client-1", ip);
  expect({"web-2"}, "node2", ip);
  patch(R"({"spec":{"internalTrafficPolicy":"Cluster"}})");
  expect({"web-1", "web-2"}, "pod/client-1", ip);
}

TEST_F(integration_services, external_addresses_come_and_go) {
  patch(R"({"spec":{"externalIPs":["192.0.2.77"]}})");
  expect({"web-1", "web-2"}, "pod/client-1", "192.0.2.77");
  patch(R"({"spec":{"externalIPs":null}})");
  expect_silence("pod/client-1", "192.0.2.77");
}

TEST_F(integration_services, the_load_balancers_address_is_served_within_its_source_ranges) {
  ASSERT_NO_FATAL_FAILURE(set_load_balancer_address("192.0.2.88"));
  expect({"web-1", "web-2"}, "pod/client-1", "192.0.2.88");
  patch(R"({"spec":{"loadBalancerSourceRanges":["203.0.113.0/24"]}})");
  expect_silence("pod/client-1", "192.0.2.88");
  patch(R"({"spec":{"loadBalancerSourceRanges":null}})");
  expect({"web-1", "web-2"}, "pod/client-1", "192.0.2.88");
}

TEST_F(integration_services, session_affinity_keeps_a_client_at_its_pod) {
  const auto ip = get("service web", "{.spec.clusterIP}");
  patch(R"({"spec":{"sessionAffinity":"ClientIP"}})");
  Answers got;
  EXPECT_TRUE(eventually(10s, [&] { return (got = answers("pod/client-1", ip)).size() == 1; }))
      << testing::PrintToString(got);
  EXPECT_EQ(answers("pod/client-1", ip), got) << "in the next two dozen as well";
  EXPECT_EQ(got.count("FAILED"), 0U);
  patch(R"({"spec":{"sessionAffinity":"None"}})");
  expect({"web-1", "web-2"}, "pod/client-1", ip);
}

} // namespace
} // namespace sluice::integration
