#include "proxy/control.hpp"
#include "proxy/json.hpp"
#include "proxy/tests/fake_dataplane.hpp"
#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

using nlohmann::json;

/// A loop on a thread of its own with one Service in its table.
class RunningLoop {
public:
  RunningLoop() {
    const auto service = test::service_s();
    inbox_.put(
        {kube::Change<kube::Service>{kube::Change<kube::Service>::Kind::added, service}, {}});
    inbox_.put({kube::Change<kube::EndpointSlice>{kube::Change<kube::EndpointSlice>::Kind::added,
                                                  test::slice_of(service, "L R2/unready")},
                {}});
    inbox_.put({kube::Change<kube::Service>{kube::Change<kube::Service>::Kind::synced, {}}, {}});
    inbox_.put(
        {kube::Change<kube::EndpointSlice>{kube::Change<kube::EndpointSlice>::Kind::synced, {}},
         {}});
    inbox_.put({kube::Change<kube::Node>{kube::Change<kube::Node>::Kind::synced, {}}, {}});
    std::vector<std::unique_ptr<FamilySync>> families;
    families.push_back(std::make_unique<FamilySync>(std::make_unique<Model>(Family::ipv4, "n1"),
                                                    std::make_unique<test::FakeDataplane>(kernel_),
                                                    SyncPeriods{}, clock_));
    runner_ = std::make_unique<Runner>(RunnerParts{inbox_, clock_, health_, proxy_metrics_},
                                       NodeOptions{}, std::move(families));
    thread_ = std::thread([this] { runner_->run(); });
  }
  ~RunningLoop() {
    inbox_.close();
    thread_.join();
  }

  json ask(const std::string &line) {
    return json::parse(kube::daemon::answer_line(
        control_verbs(inbox_, clock_, {"nftables", "n1", "v0", {}, {}}), line));
  }

private:
  SteadyClock clock_;
  Inbox inbox_;
  HealthBoard health_;
  kube::daemon::Metrics metrics_;
  ProxyMetrics proxy_metrics_{metrics_};
  test::FakeKernel kernel_;
  std::unique_ptr<Runner> runner_;
  std::thread thread_;
};

TEST(proxy_control, status_tells_what_is_known_and_whether_the_kernel_is_in_step) {
  RunningLoop loop;
  const auto answer = loop.ask(R"({"verb": "status"})");
  EXPECT_EQ(answer["ok"], true) << answer;
  EXPECT_EQ(answer["mode"], "nftables");
  EXPECT_EQ(answer["synced"], true);
  EXPECT_EQ(answer["families"][0]["services"], 1);
  EXPECT_EQ(answer["families"][0]["inStep"], true);
}

TEST(proxy_control, dump_shows_frontends_and_backend_sets) {
  RunningLoop loop;
  const auto answer = loop.ask(R"({"verb": "dump"})");
  ASSERT_EQ(answer["ok"], true) << answer;
  const auto &table = answer["tables"][0];
  EXPECT_EQ(table["family"], "IPv4");
  EXPECT_EQ(table["frontends"].size(), 4U);
  const auto id = table["frontends"][1]["fromPod"]["backends"].get<std::uint32_t>();
  EXPECT_EQ(table["backendSets"][std::to_string(id)][0]["address"], "10.180.0.1:80");
}

TEST(proxy_control, explain_answers_from_the_model_and_from_the_kernel) {
  RunningLoop loop;
  const auto answer = loop.ask(
      R"({"verb": "explain", "source": "10.0.0.2", "destination": "172.30.0.41", "port": 80})");
  ASSERT_EQ(answer["ok"], true) << answer;
  EXPECT_EQ(answer["model"]["verdict"], "translate");
  EXPECT_EQ(answer["kernel"]["verdict"], "translate");
  EXPECT_EQ(answer["model"]["endpoints"][1]["leftOut"], "not ready");
}

TEST(proxy_control, a_bad_question_gets_an_error_that_says_what_is_expected) {
  RunningLoop loop;
  const struct {
    const char *line, *says;
  } kCases[] = {
      {R"({"verb": "explain"})", "\\\"source\\\": an address is expected"},
      {R"({"verb": "explain", "source": "here", "destination": "1.2.3.4", "port": 1})", "here"},
      {R"({"verb": "explain", "source": "1.1.1.1", "destination": "2001:db8::1", "port": 1})",
       "different families"},
      {R"({"verb": "explain", "source": "1.1.1.1", "destination": "1.2.3.4", "port": 70000})",
       "a port (1-65535)"},
      {R"({"verb": "explain", "source": "1.1.1.1", "destination": "1.2.3.4", "port": 1,
           "protocol": "ICMP"})",
       "ICMP"},
      {R"({"verb": "explain", "source": "2001:db8::1", "destination": "2001:db8::2", "port": 1})",
       "has no IPv6"},
      {R"({"verb": "sing"})", "sing"},
      {"no json", "error"},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.line);
    const auto answer = loop.ask(c.line);
    EXPECT_EQ(answer["ok"], false);
    EXPECT_NE(answer.dump().find(c.says), std::string::npos) << answer;
  }
}

} // namespace
} // namespace sluice::proxy
