// Changes from one mode to another in a running daemon, under load.

#include "kube/daemon/control_socket.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

class Modes : public SluiceProxy {
protected:
  nlohmann::json mode(const std::string &wanted = "") {
    const auto answer = kube::daemon::control_call(socket(), {{"verb", "mode"}, {"mode", wanted}});
    return answer ? *answer : nlohmann::json{{"error", answer.error().what()}};
  }
  void change_to(const std::string &wanted) {
    mode(wanted);
    EXPECT_TRUE(eventually([&] {
      const auto now = mode();
      return now.value("mode", "") == wanted && now.value("started", false) &&
             now.value("retiring", nlohmann::json::array()).empty();
    })) << mode().dump()
        << log();
  }
  bool iptables_has_ours() {
    std::string all;
    for (const auto *program : {"iptables-nft-save", "iptables-legacy-save"})
      all += *run_inside(bed_->node(), {program});
    return all.find("SLUICE-") != std::string::npos;
  }
  bool nftables_has_ours() {
    return nft({"list", "tables"}).find("sluice-proxy") != std::string::npos;
  }
};

TEST_F(Modes, nftables_to_iptables_and_back_under_load_fails_no_connection_and_leaves_nothing) {
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
  auto kept = TestClient::connect(bed_->pod(1).netns, kTcp4, Protocol::tcp, 5s);
  for (const std::string wanted : {"iptables", "nftables", "iptables", "nftables"}) {
    change_to(wanted);
    EXPECT_EQ(iptables_has_ours(), wanted == "iptables");
    EXPECT_EQ(nftables_has_ours(), wanted == "nftables");
    endpoints(good % 2 == 0 ? std::vector<unsigned>{2} : std::vector<unsigned>{2, 3});
    ASSERT_TRUE(kept) << kept.error().what();
    EXPECT_TRUE(kept->ask()) << "a connection from before goes on in mode " << wanted;
  }
  stop = true;
  load.join();
  EXPECT_EQ(bad, "") << "after " << good << " good ones";
  EXPECT_GT(good, 20U);
}

TEST_F(Modes, another_mode_after_a_restart_removes_what_the_first_left) {
  start_proxy();
  (void)proxy_->stop(5s);
  EXPECT_TRUE(nftables_has_ours());
  start_proxy({"--proxy-mode=iptables"});
  EXPECT_TRUE(eventually([&] { return !nftables_has_ours(); })) << log();
  EXPECT_TRUE(iptables_has_ours());
  EXPECT_EQ(who_answers(kTcp6), (std::set<std::string>{"pod2", "pod3"}));
}

TEST_F(Modes, a_mode_that_this_host_cannot_have_is_refused_and_nothing_changes) {
  start_proxy();
  const auto answer = mode("carrier-pigeon");
  EXPECT_NE(answer.value("error", "").find("carrier-pigeon"), std::string::npos) << answer.dump();
  EXPECT_EQ(mode().value("mode", ""), "nftables");
}

} // namespace
} // namespace sluice::proxy::test
