// What operators and load balancers see of the daemon, and how it follows its Node and its machine
// (service-semantics.md B.8, B.9, D.1, F.3, F.5).

#include "kube/daemon/control_socket.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"
#include "proxy/tests/prometheus_text.hpp"

#include <csignal>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

json node(const std::string &address, const json &taints = json::array()) {
  return {{"kind", "Node"},
          {"apiVersion", "v1"},
          {"metadata", {{"name", "n1"}}},
          {"spec", {{"taints", taints}}},
          {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", address}}}}}}};
}

json balanced(int health_port) {
  auto object = service();
  object["spec"]["type"] = "LoadBalancer";
  object["spec"]["externalTrafficPolicy"] = "Local";
  object["spec"]["healthCheckNodePort"] = health_port;
  object["spec"]["ports"][0]["nodePort"] = 31080;
  return object;
}

class Operations : public SluiceProxy {
protected:
  /// "200", "503", or "000" if nobody answers; asked from pod 1.
  std::string status_of(const std::string &url, const kernel::NetNs *from = nullptr) {
    const auto out = run_inside(
        from ? *from : bed_->pod(1).netns,
        {"sh", "-c", "curl -s -m 2 -o /dev/null -w '%{http_code}' '" + url + "' || true"});
    EXPECT_TRUE(out) << out.error().what();
    return out.value_or("");
  }
  std::string body_of(const std::string &url) {
    return run_inside(bed_->pod(1).netns, {"curl", "-si", "-m", "2", url}).value_or("");
  }
  void ip(const std::string &commands) {
    const auto done = run_inside(bed_->node(), {"ip", "-batch", "-"}, commands);
    EXPECT_TRUE(done) << done.error().what();
  }
  bool was_told(const std::string &reason) {
    const auto events = api_->created("events");
    return std::any_of(events.begin(), events.end(),
                       [&](const json &event) { return event["reason"] == reason; });
  }
};

TEST_F(Operations, a_load_balancer_learns_how_many_endpoints_are_here) {
  api_->put("services", balanced(30000));
  start_proxy();
  const std::string url = "http://10.244.1.1:30000/healthz";
  ASSERT_TRUE(eventually([&] { return status_of(url) == "200"; }));
  const auto answer = body_of(url);
  EXPECT_NE(answer.find("X-Load-Balancing-Endpoint-Weight: 2"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\"localEndpoints\": 2"), std::string::npos);
  EXPECT_EQ(status_of("http://10.244.2.1:30000/"), "000") << "no nodePort address (15.11)";
  endpoints({});
  EXPECT_TRUE(eventually([&] { return status_of(url) == "503"; }));
  api_->put("services", balanced(30001));
  endpoints({2});
  EXPECT_TRUE(eventually([&] { return status_of("http://10.244.1.1:30001/x") == "200"; }));
  EXPECT_EQ(status_of(url), "000") << "15.07";
  api_->remove("services", "default", "web");
  EXPECT_TRUE(eventually([&] { return status_of("http://10.244.1.1:30001/x") == "000"; }));
}

TEST_F(Operations, a_health_port_that_is_taken_is_told_as_an_event_and_had_later) {
  auto other = NamedServer::start(bed_->node(), "other", Port{30000});
  ASSERT_TRUE(other) << other.error().what();
  api_->put("services", balanced(30000));
  start_proxy();
  ASSERT_TRUE(eventually([&] { return was_told("FailedToStartServiceHealthcheck"); }));
  for (const auto &event : api_->created("events"))
    if (event["reason"] == "FailedToStartServiceHealthcheck") {
      EXPECT_EQ(event["regarding"]["name"], "web");
      EXPECT_EQ(event["regarding"]["uid"], "uid-default/web");
      EXPECT_EQ(event["action"], "Listen");
      EXPECT_EQ(event["type"], "Warning");
    }
  EXPECT_TRUE(was_told("Starting"));
  EXPECT_EQ(who_answers(kTcp4).size(), 2U) << "the Service works all the same";
  other->reset();
  EXPECT_TRUE(eventually([&] { return status_of("http://10.244.1.1:30000/") == "200"; }));
}

TEST_F(Operations, a_metrics_port_that_is_taken_is_told_as_an_event) {
  auto other = NamedServer::start(bed_->node(), "other", Port{10249});
  ASSERT_TRUE(other) << other.error().what();
  start_proxy();
  EXPECT_TRUE(eventually([&] { return was_told("FailedToStartMetricServer"); }));
}

TEST_F(Operations, a_node_that_is_about_to_go_is_not_healthy_but_alive) {
  start_proxy();
  const auto healthz = [&] { return status_of("http://127.0.0.1:10256/healthz", &bed_->node()); };
  EXPECT_TRUE(eventually([&] { return healthz() == "200"; }));
  EXPECT_EQ(status_of("http://127.0.0.1:10256/readyz", &bed_->node()), "200");
  api_->put("nodes", node("10.244.1.1",
                          {{{"key", "ToBeDeletedByClusterAutoscaler"}, {"effect", "NoSchedule"}}}));
  EXPECT_TRUE(eventually([&] { return healthz() == "503"; }));
  EXPECT_EQ(status_of("http://127.0.0.1:10256/livez", &bed_->node()), "200");
  api_->put("nodes", node("10.244.1.1",
                          {{{"key", "node.kubernetes.io/unreachable"}, {"effect", "NoExecute"}}}));
  EXPECT_TRUE(eventually([&] { return healthz() == "200"; }));
  auto going = node("10.244.1.1");
  going["metadata"]["deletionTimestamp"] = "2026-11-21T11:00:00Z";
  api_->put("nodes", going);
  EXPECT_TRUE(eventually([&] { return healthz() == "503"; }));
}

TEST_F(Operations, node_ports_and_health_ports_move_with_the_nodes_address) {
  api_->put("services", balanced(30000));
  start_proxy();
  ASSERT_TRUE(eventually([&] { return status_of("http://10.244.1.1:30000/") == "200"; }));
  const SocketAddress before{IpAddress::parse("10.244.1.1").value(), Port{31080}};
  const SocketAddress after{IpAddress::parse("10.244.2.1").value(), Port{31080}};
  EXPECT_EQ(ask(before).substr(0, 3), "pod");
  api_->put("nodes", node("10.244.2.1"));
  EXPECT_TRUE(eventually([&] { return status_of("http://10.244.2.1:30000/") == "200"; }));
  EXPECT_EQ(status_of("http://10.244.1.1:30000/"), "000");
  EXPECT_EQ(ask(after).substr(0, 3), "pod");
  EXPECT_EQ(ask(before), "refused") << "nobody listens";
}

TEST_F(Operations, an_address_that_an_interface_gets_takes_node_ports_at_once) {
  api_->put("services", balanced(30000));
  start_proxy({"--nodeport-addresses=198.51.100.0/24"});
  const SocketAddress at{IpAddress::parse("198.51.100.7").value(), Port{31080}};
  EXPECT_EQ(status_of("http://198.51.100.7:30000/"), "000");
  ip("addr add 198.51.100.7/32 dev uplink\n");
  EXPECT_TRUE(eventually([&] { return ask(at).substr(0, 3) == "pod"; }));
  EXPECT_TRUE(eventually([&] { return status_of("http://198.51.100.7:30000/") == "200"; }));
  ip("addr del 198.51.100.7/32 dev uplink\n");
  EXPECT_TRUE(eventually([&] {
    return nft({"list", "table", "ip", "sluice-proxy"}).find("198.51.100.7") == std::string::npos;
  }));
}

TEST_F(Operations, service_cidrs_of_the_api_count_and_an_api_without_them_is_fine) {
  api_->refuse("servicecidrs", 404);
  start_proxy();
  EXPECT_TRUE(eventually([&] { return log().find("no ServiceCIDRs") != std::string::npos; }));
  EXPECT_EQ(who_answers(kTcp4).size(), 2U);
  (void)proxy_->stop(5s);
}

TEST_F(Operations, service_cidrs_are_followed) {
  start_proxy();
  const auto rules = [&] { return nft({"list", "table", "ip", "sluice-proxy"}); };
  EXPECT_EQ(rules().find("172.31.0.0/16"), std::string::npos);
  api_->put("servicecidrs", {{"kind", "ServiceCIDR"},
                             {"apiVersion", "networking.k8s.io/v1"},
                             {"metadata", {{"name", "more"}}},
                             {"spec", {{"cidrs", {"172.31.0.0/16"}}}}});
  EXPECT_TRUE(eventually([&] { return rules().find("172.31.0.0/16") != std::string::npos; }));
  api_->remove("servicecidrs", "", "more");
  EXPECT_TRUE(eventually([&] { return rules().find("172.31.0.0/16") == std::string::npos; }));
}

TEST_F(Operations, c10_32_without_the_gate_externalips_do_nothing) {
  auto object = service();
  object["spec"]["externalIPs"] = {"198.51.100.9"};
  api_->put("services", object);
  const SocketAddress external{IpAddress::parse("198.51.100.9").value(), Port{80}};
  for (const bool allowed : {true, false}) {
    start_proxy(
        {std::string("--feature-gates=AllowServiceExternalIPs=") + (allowed ? "true" : "false")});
    EXPECT_EQ(ask(external).substr(0, 3) == "pod", allowed);
    EXPECT_EQ(ask(kTcp4).substr(0, 3), "pod");
    (void)proxy_->stop(5s);
  }
}

TEST_F(Operations, a_list_that_the_api_server_refuses_is_said) {
  api_->refuse("endpointslices", 400);
  launch_proxy();
  const std::string words = "no news from the API server";
  EXPECT_TRUE(eventually([&] { return log().find(words) != std::string::npos; }));
  EXPECT_FALSE(in_step());
  const auto said = log();
  EXPECT_NE(said.find("informer of endpointslices"), std::string::npos) << said;
  EXPECT_EQ(said.find("informer of services"), std::string::npos) << said;
}

TEST_F(Operations, the_metrics_of_mode_iptables_count_the_rules_of_the_kernel) {
  start_proxy({"--proxy-mode=iptables"});
  const auto samples = [&] {
    const auto text = read_prometheus(
        run_inside(bed_->node(), {"curl", "-sf", "http://127.0.0.1:10249/metrics"}).value_or(""));
    EXPECT_TRUE(text.samples.empty() || text.complaints.empty()) << text.complaints.front();
    return text.samples;
  };
  const auto rules = [&](const std::string &gauge, const std::string &table) {
    return samples()["kubeproxy_sync_proxy_rules_iptables_" + gauge +
                     "{ip_family=\"IPv4\",table=\"" + table + "\"}"];
  };
  const auto in_kernel = [&](const std::string &table) {
    const auto count =
        run_inside(bed_->node(), {"sh", "-c",
                                  "for flavour in nft legacy; do iptables-$flavour-save -t " +
                                      table + " 2>/dev/null; done | grep -c '^-A .*SLUICE-'"});
    return count ? std::stod(*count) : -1;
  };
  for (const std::string table : {"nat", "filter"}) {
    EXPECT_GT(in_kernel(table), 5) << table;
    EXPECT_EQ(rules("total", table), in_kernel(table)) << table;
    EXPECT_GT(rules("last", table), 0) << table;
  }
  const auto before = rules("total", "nat");
  endpoints({3});
  EXPECT_TRUE(eventually([&] { return rules("total", "nat") < before; }));
  EXPECT_EQ(rules("total", "nat"), in_kernel("nat"));
  EXPECT_LT(rules("last", "nat"), before / 2);
  EXPECT_EQ(rules("last", "filter"), 0);
  auto all = samples();
  for (const std::string name : {"restore", "partial_restore"})
    EXPECT_EQ(all.at("kubeproxy_sync_proxy_rules_iptables_" + name +
                     "_failures_total{ip_family=\"IPv4\"}"),
              0);
  ASSERT_TRUE(
      kube::daemon::control_call(socket(), {{"verb", "mode"}, {"mode", "nftables"}}).has_value());
  EXPECT_TRUE(eventually([&] {
    all = samples();
    return all.count(
               "kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family=\"IPv4\"}") == 1;
  }));
  EXPECT_EQ(all.at("kubeproxy_sync_proxy_rules_iptables_total{ip_family=\"IPv4\",table=\"nat\"}"),
            0)
      << "those of the mode before are gone";
}

TEST_F(Operations, c17_08_a_host_without_ipv6_works_and_complains_of_nothing) {
  ASSERT_TRUE(run_inside(bed_->node(), {"sh", "-c",
                                        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; "
                                        "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"}));
  start_proxy();
  EXPECT_EQ(who_answers(kTcp4).size(), 2U);
  endpoints({3});
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp4) == std::set<std::string>{"pod3"}; }));
  const auto said = log().substr(log().find("sluice-proxy started"));
  EXPECT_EQ(said.find("warning"), std::string::npos) << said;
  EXPECT_EQ(said.find("error"), std::string::npos) << said;
  EXPECT_EQ(nft({"list", "tables"}), "table ip sluice-proxy\n");
}

} // namespace
} // namespace sluice::proxy::test
