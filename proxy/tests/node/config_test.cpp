// The configuration of the running daemon: read, changed, refused, written.

#include "kube/daemon/control_socket.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

class SluiceProxyConfig : public SluiceProxy {
protected:
  std::string path() const { return folder_ + "/config.conf"; }

  void write(const std::string &fields) const {
    std::ofstream(path() + ".new") << "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
                                      "kind: KubeProxyConfiguration\n"
                                   << fields;
    ASSERT_EQ(std::rename((path() + ".new").c_str(), path().c_str()), 0);
  }

  void start(const std::string &fields) {
    write(fields);
    start_proxy({"--config=" + path()});
  }

  std::string get(const std::string &url) const {
    const auto out = run_inside(bed_->node(), {"curl", "-sf", "--max-time", "2", url});
    return out ? *out : "";
  }

  bool log_says(const std::string &text) const { return log().find(text) != std::string::npos; }
};

const std::string kDetector = "clusterCIDR: 10.244.0.0/16,2001:db8:244::/48\n";

TEST_F(SluiceProxyConfig, a_change_of_what_the_rules_say_is_taken_over_in_place) {
  start(kDetector);
  EXPECT_NE(ask(kTcp4).find(bed_->pod(1).v4.str()), std::string::npos) << "the source is kept";
  write(kDetector + "nftables: {masqueradeAll: true}\n");
  EXPECT_TRUE(eventually([&] { return ask(kTcp4).find(" 10.244.1.2") == std::string::npos; }));
  EXPECT_TRUE(eventually([&] { return log_says("applied=\"in place\""); })) << log();
}

TEST_F(SluiceProxyConfig, a_change_of_ports_opens_them_anew_and_cuts_no_connection) {
  start(kDetector);
  auto kept = TestClient::connect(bed_->pod(1).netns, kTcp4, Protocol::tcp, 2s);
  ASSERT_TRUE(kept);
  write(kDetector + "metricsBindAddress: 127.0.0.1:20249\n");
  EXPECT_TRUE(eventually([&] { return !get("http://127.0.0.1:20249/metrics").empty(); })) << log();
  EXPECT_EQ(get("http://127.0.0.1:10249/metrics"), "") << "the old port is closed";
  EXPECT_TRUE(eventually([&] { return in_step(); }));
  EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"}));
  EXPECT_TRUE(kept->ask());
}

TEST_F(SluiceProxyConfig, a_bad_file_changes_nothing_and_is_told_until_it_is_good_again) {
  start(kDetector);
  const auto valid = [&] {
    const auto text = get("http://127.0.0.1:10249/metrics");
    const auto at = text.find("\nsluice_proxy_config_valid ");
    return at == std::string::npos ? '?' : text[at + 27];
  };
  EXPECT_EQ(valid(), '1');
  for (const auto *bad : {"clusterCIDR: everywhere\n", "a: [\n", "mode: userspace\n"}) {
    SCOPED_TRACE(bad);
    write(bad);
    EXPECT_TRUE(eventually([&] { return valid() == '0'; })) << log();
    EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"}));
    write(kDetector);
    EXPECT_TRUE(eventually([&] { return valid() == '1'; })) << log();
  }
  EXPECT_TRUE(log_says("the new configuration is refused; the old one stays"));
}

TEST_F(SluiceProxyConfig, what_cannot_be_started_falls_back_to_what_ran_before) {
  start(kDetector);
  write(kDetector + "clientConnection: {kubeconfig: /nonexistent/kubeconfig}\n");
  EXPECT_TRUE(eventually([&] { return log_says("the new configuration is refused"); })) << log();
  EXPECT_TRUE(eventually([&] { return in_step(); })) << log();
  endpoints({3});
  EXPECT_TRUE(eventually([&] { return who_answers(kTcp4) == std::set<std::string>{"pod3"}; }));
}

TEST_F(SluiceProxyConfig, logs_are_json_if_asked_for) {
  start(kDetector + "logging: {format: json}\n");
  std::istringstream lines(log());
  unsigned count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    if (line.find("sluice-proxy started") != std::string::npos) {
      const auto object = nlohmann::json::parse(line, nullptr, false);
      EXPECT_EQ(object.value("node", ""), "n1") << line;
      return;
    }
  FAIL() << log();
}

TEST_F(SluiceProxyConfig, the_configuration_can_be_written_to_a_file_and_run_with) {
  auto done = kernel::run_program(
      command({"--write-config-to=" + path(), "--metrics-bind-address=127.0.0.1:20249"}), "", 20s);
  ASSERT_TRUE(done) << done.error().what();
  ASSERT_TRUE(done->status.success()) << done->stderr_text;
  start_proxy({"--config=" + path()});
  EXPECT_NE(get("http://127.0.0.1:20249/metrics"), "");
}

TEST_F(SluiceProxyConfig, init_only_writes_sysctls_only_if_it_may) {
  const auto sysctl = [&] {
    return run_inside(bed_->node(),
                      {"sysctl", "-n", "net.netfilter.nf_conntrack_tcp_timeout_close_wait"})
        .value_or("?");
  };
  const auto before = sysctl();
  for (const bool managed : {false, true}) {
    auto done = kernel::run_program(
        command(managed ? std::vector<std::string>{"--init-only", "--manage-sysctls",
                                                   "--conntrack-max-per-core=0"}
                        : std::vector<std::string>{"--init-only"}),
        "", 20s);
    ASSERT_TRUE(done) << done.error().what();
    EXPECT_TRUE(done->status.success()) << done->stderr_text;
    EXPECT_EQ(sysctl(), managed ? "3600\n" : before);
  }
  EXPECT_EQ(nft({"list", "tables"}), "");
}

} // namespace
} // namespace sluice::proxy::test
