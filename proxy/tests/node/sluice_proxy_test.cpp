// The real sluice-proxy in a namespace that plays the node, against an API, with real packets.

#include "kube/daemon/control_socket.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"

#include <csignal>
#include <cstdlib>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

const std::set<std::string> kBoth{"pod2", "pod3"};

TEST_F(SluiceProxy, cluster_ips_work_over_both_families_and_protocols) {
  start_proxy();
  EXPECT_EQ(who_answers(kTcp4), kBoth);
  EXPECT_EQ(who_answers(kTcp6), kBoth);
  EXPECT_EQ(who_answers(kUdp4, Protocol::udp), kBoth);
  EXPECT_EQ(who_answers(kUdp6, Protocol::udp), kBoth);
  const auto answer = ask(kTcp4);
  EXPECT_EQ(answer.substr(answer.find(' ') + 1), bed_->pod(1).v4.str())
      << "a pod's address is kept";
  const auto from_node = bed_->ask(bed_->node(), kTcp4, Protocol::tcp);
  EXPECT_EQ(from_node.substr(0, 3), "pod") << "the node itself reaches it too: " << from_node;
  EXPECT_EQ(ask({kTcp4.ip, Port{81}}), "refused");
}

TEST_F(SluiceProxy, an_endpoint_can_reach_itself_through_the_service) {
  endpoints({2});
  start_proxy();
  const auto answer = ask(kTcp4, Protocol::tcp, 2);
  EXPECT_EQ(answer.substr(0, 4), "pod2") << answer;
}

TEST_F(SluiceProxy, endpoints_that_go_and_come_show_at_once) {
  start_proxy();
  endpoints({3});
  ASSERT_TRUE(eventually([&] { return who_answers(kTcp4) == std::set<std::string>{"pod3"}; }));
  endpoints({});
  EXPECT_TRUE(eventually([&] { return ask(kTcp4) == "refused"; }));
  endpoints({2});
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp6) == std::set<std::string>{"pod2"}; }));
  api_->remove("services", "default", "web");
  EXPECT_TRUE(eventually([&] { return ask(kTcp4) == "timeout"; })) << "an address nobody has";
}

TEST_F(SluiceProxy, a_table_that_somebody_flushed_or_deleted_is_back_within_seconds) {
  start_proxy();
  const char *mode = std::getenv("SLUICE_PROXY_MODE");
  const auto table = std::string("sluice-proxy") + (mode ? "-" + std::string(mode) : "");
  nft({"delete", "table", "ip", table});
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp4) == kBoth; })) << "after delete table";
  nft({"flush", "table", "ip6", table});
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp6) == kBoth; })) << "after flush table";
  nft({"flush", "ruleset"});
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp4) == kBoth; })) << "after flush ruleset";
  EXPECT_TRUE(eventually([&] { return who_answers(kUdp6, Protocol::udp) == kBoth; }));
}

TEST_F(SluiceProxy, killed_and_started_again_under_load_it_fails_no_connection) {
  start_proxy();
  std::atomic<bool> stop{false};
  std::atomic<unsigned> good{0};
  std::string bad;
  std::thread load([&] {
    while (!stop) {
      const auto answer = ask(kTcp4);
      if (answer.substr(0, 3) == "pod")
        ++good;
      else
        bad = answer;
    }
  });
  auto kept = TestClient::connect(bed_->pod(1).netns, kTcp4, Protocol::tcp, 2s);
  for (int round = 0; round < 3; ++round) {
    const auto before = good.load();
    (void)proxy_->signal(SIGKILL);
    (void)proxy_->wait_for(5s);
    EXPECT_TRUE(eventually([&] { return good > before + 50; }));
    start_proxy();
  }
  stop = true;
  load.join();
  EXPECT_EQ(bad, "") << "after " << good << " good ones";
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->ask()) << "a connection from before goes on";
}

TEST_F(SluiceProxy, what_changed_while_it_was_away_is_right_after_the_start) {
  start_proxy();
  (void)proxy_->stop(5s);
  EXPECT_EQ(who_answers(kTcp4), kBoth) << "the rules stay after SIGTERM";
  endpoints({2});
  start_proxy();
  EXPECT_EQ(who_answers(kTcp4), std::set<std::string>{"pod2"});
}

TEST_F(SluiceProxy, an_api_server_that_goes_away_and_comes_back_costs_nothing) {
  start_proxy();
  api_->go_away();
  EXPECT_EQ(who_answers(kTcp4), kBoth);
  endpoints({3});
  const auto back = api_->come_back();
  ASSERT_TRUE(back) << back.error().what();
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp4) == std::set<std::string>{"pod3"}; }));
}

TEST_F(SluiceProxy, cleanup_leaves_nothing_of_ours_and_everything_of_others) {
  start_proxy();
  nft({"add", "table", "ip", "somebody-elses"});
  (void)proxy_->stop(5s);
  EXPECT_EQ(who_answers(kTcp4), kBoth);
  for (int twice = 0; twice < 2; ++twice) {
    auto done = kernel::run_program(command({"--cleanup"}), "", 20s);
    ASSERT_TRUE(done) << done.error().what();
    EXPECT_TRUE(done->status.success()) << done->stderr_text;
  }
  EXPECT_EQ(nft({"list", "tables"}), "table ip somebody-elses\n");
}

TEST_F(SluiceProxy, health_metrics_and_explanations_are_there) {
  start_proxy();
  const auto get = [&](const std::string &url) {
    const auto out = run_inside(bed_->node(), {"curl", "-sf", url});
    EXPECT_TRUE(out) << url << ": " << out.error().what();
    return out ? *out : "";
  };
  EXPECT_NE(get("http://127.0.0.1:10256/healthz").find("\"nodeEligible\":true"), std::string::npos);
  EXPECT_NE(get("http://127.0.0.1:10256/livez").find("\"healthy\":true"), std::string::npos);
  EXPECT_EQ(get("http://127.0.0.1:10249/proxyMode"), "nftables");
  EXPECT_NE(get("http://127.0.0.1:10249/metrics").find("kubeproxy_sync_proxy_rules_duration"),
            std::string::npos);
  const auto answer = kube::daemon::control_call(socket(), {{"verb", "explain"},
                                                            {"source", bed_->pod(1).v4.str()},
                                                            {"destination", kTcp4.ip.str()},
                                                            {"port", 80},
                                                            {"inInterface", "pod1"}});
  ASSERT_TRUE(answer) << answer.error().what();
  EXPECT_EQ((*answer)["model"]["verdict"], "translate");
  EXPECT_EQ((*answer)["kernel"]["verdict"], "translate") << *answer;
  EXPECT_EQ((*answer)["model"]["backends"].size(), 2U);
}

TEST_F(SluiceProxy, a_dry_run_prints_the_tables_and_writes_nothing) {
  auto done = kernel::run_program(command({"--dry-run"}), "", 20s);
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_TRUE(done->status.success()) << done->stderr_text;
  EXPECT_NE(done->stdout_text.find("172.30.0.10:80/TCP"), std::string::npos) << done->stdout_text;
  const auto shown = nlohmann::json::parse(done->stdout_text, nullptr, false);
  ASSERT_TRUE(shown.is_object()) << done->stdout_text;
  EXPECT_EQ(shown["tables"].size(), 2U);
  EXPECT_NE(shown["whatChanges"].dump().find("is refused at once"), std::string::npos);
  EXPECT_EQ(nft({"list", "tables"}), "");
}

} // namespace
} // namespace sluice::proxy::test
