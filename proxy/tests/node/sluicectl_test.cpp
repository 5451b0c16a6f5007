// What a person sees who asks sluicectl about the proxy of a node (docs/proxy.md, docs/modes.md).

#include "kernel/ipvs/ipvs.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

class Sluicectl : public SluiceProxy {
protected:
  kernel::Output sluicectl(std::vector<std::string> arguments) {
    kernel::SpawnOptions options;
    options.argv = {SLUICE_BIN_DIR "/sluicectl"};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.argv.push_back("--socket=" + socket());
    options.netns_fd = bed_->node().fd();
    auto done = kernel::run_program(options, "", 60s);
    EXPECT_TRUE(done) << done.error().what();
    return done ? std::move(*done) : kernel::Output{};
  }
  std::string says(std::vector<std::string> arguments) {
    const auto out = sluicectl(std::move(arguments));
    EXPECT_TRUE(out.status.success()) << out.stderr_text;
    return out.stdout_text;
  }
};

TEST_F(Sluicectl, mode_status_and_dump_in_mode_iptables) {
  start_proxy({"--proxy-mode=iptables"});
  EXPECT_TRUE(eventually([&] {
    return says({"proxy", "mode"}).rfind("iptables (iptables-", 0) == 0;
  }));
  const auto status = says({"proxy", "status"});
  EXPECT_NE(status.find("on node n1, mode iptables (iptables-"), std::string::npos) << status;
  EXPECT_NE(status.find("  IPv6        in step\n"), std::string::npos) << status;
  EXPECT_EQ(status.find("draining"), std::string::npos)
      << "nothing of another mode is here: " << status;
  EXPECT_NE(says({"proxy", "dump"}).find("  172.30.0.10:80/TCP  ClusterIP of default/web:http\n"),
            std::string::npos);
  const auto explained = says({"explain", "node", "172.30.0.10:80"});
  EXPECT_NE(explained.find("word for word as written"), std::string::npos) << explained;
}

TEST_F(Sluicectl, a_change_of_mode_says_when_it_is_done_and_what_is_left) {
  start_proxy({"--proxy-mode=iptables"});
  const auto changed = says({"proxy", "mode", "nftables"});
  EXPECT_EQ(changed.rfind("changed in ", 0), 0U) << changed;
  EXPECT_NE(changed.find(" s: nftables\n"), std::string::npos) << changed;
  EXPECT_EQ(changed.find("still there"), std::string::npos)
      << "conntrack alone carries what is open";
  EXPECT_EQ(says({"proxy", "mode", "nftables"}), "nftables\n") << "it is already";
  const auto state = nlohmann::json::parse(says({"proxy", "mode", "-o", "json"}), nullptr, false);
  EXPECT_EQ(state.value("mode", ""), "nftables") << state;
  const auto wrong = sluicectl({"proxy", "mode", "nftable"});
  EXPECT_FALSE(wrong.status.success());
  EXPECT_NE(wrong.stderr_text.find("nftables, iptables and ipvs"), std::string::npos);
}

TEST_F(Sluicectl, in_mode_ipvs_an_old_connection_is_named_until_it_ended) {
  if (const auto ipvs = kernel::ipvs::IpvsSocket::open(); !ipvs)
    GTEST_SKIP() << ipvs.error().what();
  start_proxy({"--proxy-mode=ipvs", "--ipvs-tcpfin-timeout=3s"});
  EXPECT_NE(says({"proxy", "status"}).find("on node n1, mode ipvs\n"), std::string::npos);
  {
    auto client = TestClient::connect(bed_->pod(1).netns, kTcp4, Protocol::tcp, 20s);
    ASSERT_TRUE(client) << client.error().what();
    ASSERT_TRUE(client->ask());
    const auto changed = says({"proxy", "mode", "nftables"});
    EXPECT_NE(changed.find("still there for open connections: ipvs, IPv4\n"), std::string::npos)
        << changed;
    EXPECT_NE(says({"proxy", "status"}).find("draining    ipvs, IPv4: "), std::string::npos);
  }
  EXPECT_TRUE(eventually(
      [&] {
        return says({"proxy", "status"}).find("draining") == std::string::npos;
      },
      90s));
}

} // namespace
} // namespace sluice::proxy::test
