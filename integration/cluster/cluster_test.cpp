// A whole cluster, from the API to the packet, seen from outside with kubectl, curl, ip and nft.

#include "integration/cluster/cluster_under_test.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>
#include <unistd.h>

namespace sluice::integration {
namespace {

using namespace std::chrono_literals;

constexpr const char *kManifests = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ipFamilyPolicy: PreferDualStack
  ports:
  - {name: http, port: 80, targetPort: http}
  - {name: echo, port: 53, protocol: UDP, targetPort: 8081}
)";

std::string pod(const std::string &name, const std::string &node, const std::string &app) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: " + app +
         "}}\nspec:\n  nodeName: " + node +
         "\n  terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: none\n"
         "    command: [sluicectl, netexec, --http, '8080', --udp, '8081']\n"
         "    ports: [{name: http, containerPort: 8080}]\n"
         "    readinessProbe: {httpGet: {port: http, path: /}, periodSeconds: 1}\n";
}

std::vector<std::string> lines_of(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (!line.empty())
      lines.push_back(line);
  return lines;
}

std::string first_word(const std::string &text) {
  return text.substr(0, text.find_first_of(" \n"));
}

/// `curl` of a URL `count` times, one line an answer; a failure is a line that begins with FAILED.
std::string curl_loop(const std::string &url, int count) {
  return "for i in $(seq " + std::to_string(count) + "); do curl -s -g --max-time 5 " +
         quoted(url) + " || echo FAILED $?; echo; done";
}

class integration_cluster : public testing::Test {
protected:
  static void SetUpTestSuite() {
    cluster_ = std::make_unique<ClusterUnderTest>("e2e-" + std::to_string(::getpid()), 2);
    ASSERT_EQ(cluster_->create(), "");
    const auto applied = cluster_->kubectl(
        "apply -f -", kManifests + pod("web-1", "node1", "web") + pod("web-2", "node2", "web") +
                          pod("client-1", "node1", "client") + pod("client-2", "node2", "client"));
    ASSERT_TRUE(applied.ok()) << applied.text;
    ASSERT_TRUE(eventually(30s, [] { return ready_endpoints() == 2; })) << state();
    ASSERT_TRUE(eventually(30s, [] {
      return cluster_->kubectl("wait --for=condition=Ready pod --all --timeout=1s").ok();
    })) << state();
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  static std::string get(const std::string &what, const std::string &jsonpath) {
    return cluster_->kubectl("get " + what + " -o jsonpath=" + quoted(jsonpath)).text;
  }
  static std::size_t ready_endpoints() {
    std::istringstream in(
        get("endpointslices -l kubernetes.io/service-name=web",
            "{range .items[?(@.addressType==\"IPv4\")].endpoints[*]}{.conditions.ready} {end}"));
    std::size_t count = 0;
    for (std::string word; in >> word;)
      count += word == "true";
    return count;
  }
  static std::string state() {
    return cluster_->kubectl("get pods,services,endpointslices,nodes,events -A -o wide").text;
  }
  /// Which pods answered how often.
  static std::map<std::string, int> answers(const std::string &client, const std::string &url,
                                            int count) {
    std::map<std::string, int> by_pod;
    for (const auto &line : lines_of(cluster_->in(client, curl_loop(url, count), 60s).text))
      ++by_pod[first_word(line)];
    return by_pod;
  }
  static std::string service_ip(const char *family_index) {
    return get("service web", std::string("{.spec.clusterIPs[") + family_index + "]}");
  }

  static std::unique_ptr<ClusterUnderTest> cluster_;
};

std::unique_ptr<ClusterUnderTest> integration_cluster::cluster_;

TEST_F(integration_cluster, pods_have_addresses_of_the_podCIDR_of_their_node) {
  for (const auto *node : {"1", "2"}) {
    const auto network = get(std::string("node node") + node, "{.spec.podCIDR}");
    const auto address = get(std::string("pod web-") + node, "{.status.podIP}");
    ASSERT_NE(network.find(".0/24"), std::string::npos) << network;
    EXPECT_EQ(address.rfind(network.substr(0, network.find(".0/24") + 1), 0), 0U)
        << address << " is not of " << network;
  }
}

TEST_F(integration_cluster, a_service_reaches_every_endpoint_from_every_node_in_both_families) {
  for (const auto *client : {"pod/client-1", "pod/client-2", "node1"})
    for (const auto &host : {service_ip("0"), "[" + service_ip("1") + "]"}) {
      SCOPED_TRACE(std::string(client) + " to " + host);
      const auto by_pod = answers(client, "http://" + host + "/", 40);
      ASSERT_EQ(by_pod.size(), 2U) << testing::PrintToString(by_pod);
      EXPECT_GE(by_pod.at("web-1"), 5);
      EXPECT_GE(by_pod.at("web-2"), 5);
    }
}

TEST_F(integration_cluster, udp_is_balanced_as_well) {
  const auto ip = service_ip("0");
  std::set<std::string> pods;
  const auto command = "for i in $(seq 20); do sluicectl netexec udp " + ip + ":53 hello; done";
  for (const auto &line : lines_of(cluster_->in("pod/client-1", command).text))
    pods.insert(first_word(line));
  EXPECT_EQ(pods, (std::set<std::string>{"web-1", "web-2"}));
}

TEST_F(integration_cluster, a_pod_asks_the_api_with_its_own_account) {
  const auto answer = cluster_->in(
      "pod/client-2",
      "d=/var/run/secrets/kubernetes.io/serviceaccount; curl -sS --max-time 5 --cacert $d/ca.crt "
      "-H \"Authorization: Bearer $(cat $d/token)\" "
      "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$(cat $d/namespace)/services/web");
  EXPECT_TRUE(answer.ok()) << answer.text;
  EXPECT_NE(answer.text.find("\"clusterIPs\""), std::string::npos) << answer.text;
}

TEST_F(integration_cluster, a_table_deleted_by_hand_comes_back_within_seconds) {
  const auto ip = service_ip("0");
  const auto tables =
      lines_of(cluster_->in("node1", "nft list tables 2>/dev/null | grep sluice-proxy").text);
  ASSERT_FALSE(tables.empty());
  for (const auto &table : tables)
    ASSERT_TRUE(cluster_->in("node1", "nft delete " + table).ok()) << table;
  EXPECT_TRUE(eventually(
      5s, [&] { return answers("pod/client-1", "http://" + ip + "/", 2).count("FAILED") == 0; }));
  EXPECT_EQ(lines_of(cluster_->in("node1", "nft list tables 2>/dev/null | grep sluice-proxy").text)
                .size(),
            tables.size());
}

TEST_F(integration_cluster, a_route_deleted_by_hand_comes_back_within_seconds) {
  const auto network = get("node node2", "{.spec.podCIDR}");
  ASSERT_TRUE(cluster_->in("node1", "ip route del " + network).ok());
  EXPECT_TRUE(eventually(5s, [&] {
    return cluster_->in("node1", "ip route show " + network).text.find("proto 83") !=
           std::string::npos;
  }));
}

TEST_F(integration_cluster,
       a_flushed_masquerade_comes_back_and_pods_leave_the_cluster_with_the_nodes_address) {
  ASSERT_TRUE(cluster_->in("node1", "nft flush table inet sluice-node").ok());
  EXPECT_TRUE(eventually(5s, [&] {
    return cluster_->in("node1", "nft list table inet sluice-node").text.find("masquerade") !=
           std::string::npos;
  }));
}

TEST_F(integration_cluster,
       while_the_api_server_is_away_traffic_flows_and_nothing_is_lost_when_it_is_back) {
  const auto ip = service_ip("0");
  const auto before = get("pods", "{range .items[*]}{.metadata.uid} {end}");
  const auto pid =
      first_word(shell("pgrep -f 'sluice-controlplane .*clusters/" + cluster_->name() + "/'").text);
  ASSERT_FALSE(pid.empty());
  ASSERT_TRUE(shell("kill -STOP " + pid).ok());
  EXPECT_EQ(answers("pod/client-1", "http://" + ip + "/", 20).count("FAILED"), 0U);
  ASSERT_TRUE(shell("kill -KILL " + pid).ok());
  EXPECT_TRUE(eventually(20s, [] { return cluster_->kubectl("get --raw /readyz").ok(); }));
  EXPECT_EQ(get("pods", "{range .items[*]}{.metadata.uid} {end}"), before);
  EXPECT_EQ(answers("pod/client-1", "http://" + ip + "/", 20).count("FAILED"), 0U);
  // The agents watch again: a new endpoint is used.
  const auto applied = cluster_->kubectl("apply -f -", pod("web-3", "node1", "web"));
  ASSERT_TRUE(applied.ok()) << applied.text;
  EXPECT_TRUE(eventually(30s, [&] {
    return answers("pod/client-2", "http://" + ip + "/", 10).count("web-3") > 0;
  })) << state();
  EXPECT_TRUE(cluster_->kubectl("delete pod web-3 --wait=true").ok());
  EXPECT_EQ(answers("pod/client-2", "http://" + ip + "/", 20).count("FAILED"), 0U);
}

TEST_F(integration_cluster, no_connection_fails_while_the_proxy_is_killed_and_comes_back) {
  const auto ip = service_ip("0");
  Background load(cluster_->entering("pod/client-1", "while :; do curl -s --max-time 5 http://" +
                                                         ip + "/ || echo FAILED; echo; done"));
  const auto pid = [] {
    return first_word(cluster_->in("node1", "cat /run/sluice/sluice-proxy.pid").text);
  };
  const auto answered = [&] { return lines_of(load.text()).size(); };
  for (int kill = 0; kill < 3; ++kill) {
    const auto old = pid();
    const auto before = answered();
    ASSERT_TRUE(shell("kill -9 " + old).ok()) << old;
    EXPECT_TRUE(eventually(30s, [&] {
      return pid() != old && cluster_->in("node1", "sluicectl proxy status").ok();
    })) << cluster_->in("node1", "tail -n 20 /run/sluice/log/sluice-proxy.log").text;
    EXPECT_TRUE(eventually(30s, [&] { return answered() > before + 5; }));
  }
  const auto lines = lines_of(load.stop());
  for (const auto &line : lines)
    EXPECT_EQ(line.find("FAILED"), std::string::npos);
}

TEST_F(integration_cluster, a_full_podCIDR_is_said_and_the_pod_starts_when_an_address_is_free) {
  const auto network = get("node node2", "{.spec.podCIDR}");
  const auto prefix = network.substr(0, network.find(".0/24") + 1);
  const auto folder = first_word(cluster_->in("node2", "ls -d /var/lib/cni/networks/*").text);
  ASSERT_TRUE(cluster_
                  ->in("node2", "cd " + folder + " && for i in $(seq 2 254); do [ -e " + prefix +
                                    "$i ] || printf 'filler\\r\\neth0' > " + prefix + "$i; done")
                  .ok());
  ASSERT_TRUE(cluster_->kubectl("apply -f -", pod("late", "node2", "late")).ok());
  EXPECT_TRUE(eventually(20s, [] {
    return cluster_->kubectl("describe pod late").text.find("no IP addresses available") !=
           std::string::npos;
  })) << cluster_->kubectl("describe pod late").text;
  EXPECT_EQ(get("pod late", "{.status.phase}"), "Pending");
  ASSERT_TRUE(cluster_->in("node2", "grep -l filler " + folder + "/* | xargs rm").ok());
  EXPECT_TRUE(eventually(60s, [] { return get("pod late", "{.status.phase}") == "Running"; }))
      << state();
  EXPECT_TRUE(cluster_->kubectl("delete pod late").ok());
}

TEST_F(integration_cluster, a_bad_manifest_is_refused_with_reason_and_field_and_changes_nothing) {
  const auto version = get("service web", "{.metadata.resourceVersion}");
  const auto refused = cluster_->kubectl(
      "apply -f -",
      "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n"
      "  ports: [{name: http, port: 70000}]\n");
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.text.find("is invalid"), std::string::npos) << refused.text;
  EXPECT_NE(refused.text.find("spec.ports[0].port"), std::string::npos) << refused.text;
  EXPECT_EQ(get("service web", "{.metadata.resourceVersion}"), version);
}

TEST_F(integration_cluster, a_second_create_of_one_name_is_refused_and_the_first_one_lives_on) {
  const auto again = cluster_->sluicectl("cluster create " + cluster_->name());
  EXPECT_FALSE(again.ok());
  EXPECT_NE(again.text.find(cluster_->name()), std::string::npos) << again.text;
  EXPECT_NE(again.text.find("exists"), std::string::npos) << again.text;
  EXPECT_TRUE(cluster_->kubectl("get nodes").ok());
}

} // namespace
} // namespace sluice::integration
