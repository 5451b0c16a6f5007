// UDP clients that keep their source port, as DNS resolvers and telephones do, while endpoints come
// and go (service-semantics.md G.13, as packets).

#include "proxy/tests/node/proxy_fixture.hpp"

#include <csignal>
#include <sstream>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

class UdpFlows : public SluiceProxy {
protected:
  /// One socket, for as long as the test.
  TestClient client(const SocketAddress &to, const kernel::NetNs *from = nullptr) {
    auto made = TestClient::connect(from ? *from : bed_->pod(1).netns, to, Protocol::udp, 200ms);
    EXPECT_TRUE(made) << made.error().what();
    return std::move(*made);
  }
  static std::string who(TestClient &client) {
    const auto answer = client.ask();
    return answer ? answer->substr(0, answer->find(' ')) : answer.error().what();
  }
  /// UDP flows in the node's table, one line each.
  std::vector<std::string> flows(const std::string &words) {
    const auto out = run_inside(bed_->node(), {"conntrack", "-L", "-p", "udp"});
    EXPECT_TRUE(out) << out.error().what();
    std::vector<std::string> lines;
    std::istringstream text(out.value_or(""));
    for (std::string line; std::getline(text, line);)
      if (line.find(words) != std::string::npos)
        lines.push_back(line);
    return lines;
  }
};

TEST_F(UdpFlows, a_client_with_one_source_port_follows_its_pod_to_another_one) {
  endpoints({2});
  start_proxy();
  for (const auto &to : {kUdp4, kUdp6}) {
    SCOPED_TRACE(to.str());
    endpoints({2});
    auto pod = client(to);
    auto node = client(to, &bed_->node());
    ASSERT_TRUE(eventually([&] { return who(pod) == "pod2" && who(node) == "pod2"; }));
    endpoints({3});
    EXPECT_TRUE(eventually([&] { return who(pod) == "pod3"; }));
    EXPECT_TRUE(eventually([&] { return who(node) == "pod3"; })) << "a client of the node itself";
  }
}

TEST_F(UdpFlows, a_client_that_spoke_before_there_was_an_endpoint_gets_its_answer_later) {
  endpoints({});
  start_proxy();
  auto early = client(kUdp4);
  EXPECT_NE(who(early), "pod2");
  endpoints({2});
  EXPECT_TRUE(eventually([&] { return who(early) == "pod2"; }));
}

TEST_F(UdpFlows, a_flow_older_than_the_rules_is_translated_once_they_are_there) {
  // The kernel tracks nothing until somebody asks for it.
  nft({"add table ip tracks; add chain ip tracks f { type filter hook forward priority 0; }; "
       "add rule ip tracks f ct state new counter"});
  auto early = client(kUdp4);
  EXPECT_NE(who(early), "pod2") << "nobody is there: the packet goes to the uplink";
  ASSERT_FALSE(flows("dst=172.30.0.10").empty());
  start_proxy();
  EXPECT_TRUE(eventually([&] { return who(early).substr(0, 3) == "pod"; }));
}

TEST_F(UdpFlows, a_service_without_endpoints_refuses_at_once_what_flowed_before) {
  endpoints({2});
  start_proxy();
  auto kept = client(kUdp4);
  ASSERT_EQ(who(kept), "pod2");
  endpoints({});
  EXPECT_TRUE(eventually([&] {
    const auto answer = kept.ask();
    return !answer && answer.error().sys() == ECONNREFUSED;
  }));
}

TEST_F(UdpFlows, a_service_that_was_deleted_and_made_again_has_no_flow_of_its_first_life) {
  endpoints({2});
  start_proxy();
  auto kept = client(kUdp4);
  ASSERT_EQ(who(kept), "pod2");
  api_->remove("services", "default", "web");
  EXPECT_TRUE(eventually([&] { return flows("src=10.244.2.2").empty(); }));
  endpoints({3});
  api_->put("services", service());
  EXPECT_TRUE(eventually([&] { return who(kept) == "pod3"; }));
}

TEST_F(UdpFlows, flows_to_endpoints_that_stay_outlive_fifty_changes_and_a_restart) {
  endpoints({2});
  start_proxy();
  auto kept = client(kUdp4);
  ASSERT_EQ(who(kept), "pod2");
  const auto before = flows("src=10.244.2.2").size();
  for (int i = 0; i < 25; ++i) {
    endpoints({2, 3});
    endpoints({2});
  }
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp4) == std::set<std::string>{"pod2"}; }));
  EXPECT_EQ(who(kept), "pod2");
  EXPECT_EQ(flows("src=10.244.2.2").size(), before);
  (void)proxy_->signal(SIGKILL);
  (void)proxy_->wait_for(5s);
  start_proxy();
  EXPECT_EQ(who(kept), "pod2");
  EXPECT_EQ(flows("src=10.244.2.2").size(), before);
}

TEST_F(UdpFlows, what_went_while_the_proxy_was_away_is_cleaned_up_at_its_start) {
  endpoints({2});
  start_proxy();
  auto kept = client(kUdp4);
  ASSERT_EQ(who(kept), "pod2");
  (void)proxy_->stop(5s);
  endpoints({3});
  EXPECT_EQ(who(kept), "pod2");
  start_proxy();
  EXPECT_TRUE(eventually([&] { return who(kept) == "pod3"; }));
}

TEST_F(UdpFlows, flows_of_others_stay) {
  endpoints({2});
  start_proxy();
  auto direct = client({bed_->pod(2).v4, Port{8080}});
  ASSERT_EQ(who(direct), "pod2");
  auto kept = client(kUdp4);
  ASSERT_EQ(who(kept), "pod2");
  endpoints({});
  EXPECT_TRUE(eventually([&] { return flows("dst=172.30.0.10").empty(); }));
  EXPECT_EQ(flows("dst=10.244.2.2").size(), 1U) << "the direct one";
}

/// default/web with a nodePort for UDP and a load balancer's address.
nlohmann::json exposed() {
  auto object = service();
  object["spec"]["type"] = "LoadBalancer";
  object["spec"]["ports"][1]["nodePort"] = 30053;
  object["status"]["loadBalancer"]["ingress"] = {{{"ip", "203.0.113.10"}}};
  return object;
}

TEST_F(UdpFlows, c13_02_09_node_ports_and_load_balancer_addresses_follow_too) {
  api_->put("services", exposed());
  endpoints({2});
  start_proxy({"--nodeport-addresses=0.0.0.0/0"});
  std::vector<TestClient> clients;
  for (const auto *to : {"10.244.1.1:30053", "192.0.2.1:30053", "203.0.113.10:53"})
    clients.push_back(client(SocketAddress::parse(to).value()));
  for (auto &one : clients)
    ASSERT_TRUE(eventually([&] { return who(one) == "pod2"; }));
  endpoints({3});
  for (auto &one : clients)
    EXPECT_TRUE(eventually([&] { return who(one) == "pod3"; }));
}

TEST_F(UdpFlows, c13_02_a_service_for_this_node_alone_follows_too) {
  auto object = service();
  object["spec"]["internalTrafficPolicy"] = "Local";
  api_->put("services", object);
  endpoints({2});
  start_proxy();
  auto one = client(kUdp4);
  ASSERT_EQ(who(one), "pod2");
  endpoints({3});
  EXPECT_TRUE(eventually([&] { return who(one) == "pod3"; }));
}

TEST_F(UdpFlows, a_node_port_flow_that_somebody_else_translated_stays) {
  // What a container engine does: a port of the node to a container of its own.
  nft({"add table ip engine; add chain ip engine p { type nat hook prerouting priority -110; }; "
       "add rule ip engine p udp dport 30053 dnat to 10.244.3.2:8080"});
  api_->put("services", exposed());
  endpoints({2});
  start_proxy();
  auto foreign = client(SocketAddress::parse("10.244.1.1:30053").value());
  ASSERT_EQ(who(foreign), "pod3");
  endpoints({});
  auto kept = client(kUdp4);
  EXPECT_TRUE(eventually([&] {
    const auto answer = kept.ask();
    return !answer && answer.error().sys() == ECONNREFUSED;
  })) << "the change is in the kernel";
  EXPECT_EQ(flows("src=10.244.3.2").size(), 1U);
}

} // namespace
} // namespace sluice::proxy::test
