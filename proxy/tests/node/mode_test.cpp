// Changes from one mode to another in a running daemon, under load.

#include "kernel/ipvs/ipvs.hpp"
#include "kernel/sysctl.hpp"
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
    expect(wanted, true);
  }
  /// It runs, and nothing is left of others: `alone`.
  void expect(const std::string &wanted, bool alone) {
    const auto there = [&] {
      const auto now = mode();
      return now.value("mode", "") == wanted && now.value("started", false) &&
             (!alone || now.value("retiring", nlohmann::json::array()).empty());
    };
    // A connection that was given up in the middle ends in IPVS after a minute.
    EXPECT_TRUE(eventually(there) || eventually(there) || eventually(there))
        << mode().dump() << log() << connections_of_ipvs();
  }
  std::string connections_of_ipvs() {
    return run_inside(bed_->node(), {"cat", "/proc/net/ip_vs_conn"}).value_or("");
  }
  bool iptables_has_ours() {
    std::string all;
    for (const auto *program : {"iptables-nft-save", "iptables-legacy-save"})
      all += *run_inside(bed_->node(), {program});
    return all.find("SLUICE-") != std::string::npos;
  }
  bool nftables_has_ours() {
    return (nft({"list", "tables"}) + "\n").find("sluice-proxy\n") != std::string::npos;
  }
  bool ipvs_has_ours() {
    const auto services = run_inside(bed_->node(), {"cat", "/proc/net/ip_vs"});
    return nft({"list", "tables"}).find("sluice-proxy-ipvs") != std::string::npos ||
           (services && services->find("FWM") != std::string::npos) ||
           run_inside(bed_->node(), {"ip", "rule"})->find("lookup 83") != std::string::npos;
  }
};

/// New connections one after the other, and when none of them was good for how long.
class Load {
public:
  explicit Load(std::function<bool()> connect)
      : thread_([this, connect = std::move(connect)] {
          auto last = Clock::now();
          while (!stop_) {
            const bool ok = connect();
            const auto now = Clock::now();
            ok ? ++good_ : ++bad_;
            auto longest = longest_.load();
            longest_ = std::max<std::int64_t>(longest, (now - last).count());
            last = ok ? now : last;
          }
        }) {}
  ~Load() {
    stop_ = true;
    thread_.join();
  }
  unsigned good() const { return good_; }
  unsigned bad() const { return bad_; }
  std::chrono::milliseconds take_longest() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        Clock::duration(longest_.exchange(0)));
  }

private:
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> stop_{false};
  std::atomic<unsigned> good_{0}, bad_{0};
  std::atomic<std::int64_t> longest_{0};
  std::thread thread_;
};

struct Kept {
  std::string mode, to, answer;
  TestClient client;
};

TEST_F(Modes, every_change_among_nftables_iptables_and_ipvs_under_load) {
  if (const auto ipvs = kernel::ipvs::IpvsSocket::open(); !ipvs)
    GTEST_SKIP() << ipvs.error().what();
  // A change may take longer on a busy machine than a UDP flow is remembered.
  ASSERT_TRUE(bed_->node().run([]() -> Result<> {
    SLUICE_TRY(kernel::Sysctl().write("net/netfilter/nf_conntrack_udp_timeout", "300"), "UDP");
    return kernel::Sysctl().write("net/netfilter/nf_conntrack_udp_timeout_stream", "300");
  }));
  start_proxy({"--proxy-mode=nftables", "--ipvs-udp-timeout=30s", "--ipvs-tcpfin-timeout=3s"});
  Load load([this] { return ask(kTcp4).substr(0, 3) == "pod"; });
  std::vector<Kept> kept;
  const auto keep = [&](const std::string &in) {
    for (const auto &[to, protocol] :
         {std::pair{kTcp4, Protocol::tcp}, {kTcp6, Protocol::tcp}, {kUdp4, Protocol::udp}}) {
      auto client = TestClient::connect(bed_->pod(1).netns, to, protocol, 20s);
      ASSERT_TRUE(client) << client.error().what();
      const auto answer = client->ask();
      ASSERT_TRUE(answer) << answer.error().what();
      kept.push_back(
          {in, to.str() + "/" + std::string(name_of(protocol)), *answer, std::move(*client)});
    }
  };
  const auto all_go_on = [&](const std::string &in) {
    for (auto &one : kept) {
      const auto answer = one.client.ask();
      const auto which = one.to + " from " + one.mode + ", in " + in;
      ASSERT_TRUE(answer) << which << ": " << answer.error().what();
      EXPECT_EQ(*answer, one.answer) << which;
    }
  };
  keep("nftables");
  for (const std::string wanted :
       {"iptables", "ipvs", "nftables", "ipvs", "iptables", "nftables"}) {
    SCOPED_TRACE(wanted);
    ASSERT_TRUE(eventually([&, before = load.good()] { return load.good() > before + 10; }));
    const auto quiet = load.take_longest();
    const auto bad = load.bad();
    mode(wanted);
    expect(wanted, false);
    all_go_on(wanted);
    ASSERT_TRUE(eventually([&, before = load.good()] { return load.good() > before + 10; }));
    const auto longest = load.take_longest();
    std::printf("to %s: %u new connections failed, at most %ld ms without a good one (%ld ms "
                "before the change)\n",
                wanted.c_str(), load.bad() - bad, static_cast<long>(longest.count()),
                static_cast<long>(quiet.count()));
    EXPECT_EQ(load.bad(), bad);
    EXPECT_LT(longest, 1s + quiet);
    const bool from_ipvs =
        std::any_of(kept.begin(), kept.end(), [](const Kept &one) { return one.mode == "ipvs"; });
    EXPECT_EQ(ipvs_has_ours(), wanted == "ipvs" || from_ipvs) << "open connections keep it";
    kept.erase(std::remove_if(kept.begin(), kept.end(),
                              [](const Kept &one) { return one.mode == "ipvs"; }),
               kept.end());
    expect(wanted, true);
    EXPECT_EQ(iptables_has_ours(), wanted == "iptables");
    EXPECT_EQ(nftables_has_ours(), wanted == "nftables");
    EXPECT_EQ(ipvs_has_ours(), wanted == "ipvs");
    all_go_on(wanted);
    keep(wanted);
  }
}

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

TEST_F(Modes, ipvs_on_a_kernel_without_it_is_refused_and_told_what_to_do) {
  if (kernel::ipvs::IpvsSocket::open())
    GTEST_SKIP() << "this kernel has IPVS";
  start_proxy();
  const auto said = mode("ipvs").value("error", "");
  EXPECT_NE(said.find("this kernel has no IPVS"), std::string::npos) << said;
  EXPECT_NE(said.find("modprobe ip_vs"), std::string::npos) << said;
  EXPECT_NE(mode().value("mode", ""), "ipvs");
}

TEST_F(Modes, a_mode_that_this_host_cannot_have_is_refused_and_nothing_changes) {
  start_proxy();
  const auto before = mode().value("mode", "");
  const auto answer = mode("carrier-pigeon");
  EXPECT_NE(answer.value("error", "").find("carrier-pigeon"), std::string::npos) << answer.dump();
  EXPECT_EQ(mode().value("mode", ""), before);
}

} // namespace
} // namespace sluice::proxy::test
