// Taking over from a kube-proxy: its rules are in the kernel, and connections run over them.

#include "kernel/ipvs/ipvs.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

/// Rules of the shape that kube-proxy writes in mode iptables: default/web to pod 2, and what is
/// kubelet's and somebody else's beside it.
const char *const kIptables = R"(*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-WEB2 - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-WEB - [0:0]
:MINE - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "SNAT requiring traffic" -j MASQUERADE --random-fully
-A KUBE-SERVICES -d 172.30.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB
-A KUBE-SVC-WEB ! -s 10.244.0.0/16 -d 172.30.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-WEB -m comment --comment "default/web:http -> pod 2" -j KUBE-SEP-WEB2
-A KUBE-SEP-WEB2 -p tcp -m tcp -j DNAT --to-destination 10.244.2.2:8080
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
)";

/// The same in mode nftables.
const char *const kNftables = R"(
add table ip kube-proxy
add map ip kube-proxy service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
add chain ip kube-proxy service-web
add rule ip kube-proxy service-web ip protocol tcp dnat to 10.244.2.2:8080
add element ip kube-proxy service-ips { 172.30.0.10 . tcp . 80 : goto service-web }
add chain ip kube-proxy services
add rule ip kube-proxy services ip daddr . meta l4proto . th dport vmap @service-ips
add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority dstnat; }
add rule ip kube-proxy nat-prerouting jump services
add chain ip kube-proxy nat-output { type nat hook output priority -100; }
add rule ip kube-proxy nat-output jump services
)";

class TakeOver : public SluiceProxy {
protected:
  std::string inside(std::vector<std::string> argv, const std::string &input = "") {
    const auto out = run_inside(bed_->node(), std::move(argv), input);
    EXPECT_TRUE(out) << out.error().what();
    return out ? *out : "";
  }

  /// Connections from pods and from the node that are kept open.
  void open_long_lived() {
    for (int i = 0; i < 20; ++i) {
      const auto &from = i % 4 == 0 ? bed_->node() : bed_->pod(1).netns;
      auto made = TestClient::connect(from, kTcp4, Protocol::tcp, 2s);
      ASSERT_TRUE(made) << made.error().what();
      long_lived_.push_back(std::move(*made));
    }
    EXPECT_EQ(broken_long_lived(), "");
  }
  /// What the first one that does not answer says.
  std::string broken_long_lived() {
    for (auto &connection : long_lived_)
      if (const auto answer = connection.ask(); !answer)
        return answer.error().what();
    return "";
  }

  /// While new connections are made and others are long open, from before the start until `gone`.
  void take_over(const std::function<bool()> &gone) {
    EXPECT_EQ(ask(kTcp4).substr(0, 4), "pod2") << "kube-proxy's rules work";
    open_long_lived();
    std::atomic<bool> stop{false};
    std::atomic<unsigned> good{0};
    std::string bad;
    std::thread load([&] {
      for (; !stop; ::usleep(2000)) // leaves the daemon a CPU where there are few
        if (const auto answer = ask(kTcp4); answer.substr(0, 3) == "pod")
          ++good;
        else
          bad = answer;
    });
    start_proxy();
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(broken_long_lived(), "");
      return gone() || HasFailure();
    })) << log();
    const auto then = good.load();
    EXPECT_TRUE(eventually([&] { return good > then + 100; }));
    stop = true;
    load.join();
    EXPECT_EQ(bad, "") << "after " << good << " good ones";
    EXPECT_EQ(broken_long_lived(), "");
    EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"})) << "our rules alone";
  }

  bool has_chain(const std::string &save, const std::string &chain) {
    return inside({save}).find(":" + chain + " ") != std::string::npos;
  }

  std::vector<TestClient> long_lived_;
};

class TakeOverIptables : public TakeOver, public ::testing::WithParamInterface<const char *> {};

TEST_P(TakeOverIptables, no_connection_fails_and_only_kube_proxys_rules_go) {
  const auto tool = std::string("iptables-") + GetParam();
  inside({tool + "-restore", "--noflush"}, kIptables);
  take_over([&] { return !has_chain(tool + "-save", "KUBE-SERVICES"); });
  const auto left = inside({tool + "-save"});
  for (const auto *gone : {"KUBE-SVC-", "KUBE-SEP-", "KUBE-FORWARD", "KUBE-POSTROUTING"})
    EXPECT_EQ(left.find(gone), std::string::npos) << left;
  for (const auto *stays : {":KUBE-FIREWALL", "-A INPUT -j KUBE-FIREWALL", ":MINE"})
    EXPECT_NE(left.find(stays), std::string::npos) << left;
}

INSTANTIATE_TEST_SUITE_P(Flavours, TakeOverIptables, ::testing::Values("nft", "legacy"),
                         [](const auto &flavour) { return std::string(flavour.param); });

TEST_F(TakeOver, from_mode_nftables) {
  inside({"nft", "-f", "-"}, kNftables);
  take_over([&] { return nft({"list", "tables"}).find("kube-proxy") == std::string::npos; });
}

TEST_F(TakeOver, kube_proxys_rules_stay_if_the_operator_says_so) {
  inside({"iptables-nft-restore", "--noflush"}, kIptables);
  start_proxy({"--take-over=false"});
  EXPECT_TRUE(has_chain("iptables-nft-save", "KUBE-SERVICES"));
}

TEST_F(TakeOver, cleanup_removes_ours_and_kube_proxys_and_nothing_else) {
  start_proxy();
  (void)proxy_->stop(5s);
  inside({"iptables-nft-restore", "--noflush"}, kIptables);
  inside({"nft", "-f", "-"}, kNftables);
  for (int twice = 0; twice < 2; ++twice) {
    auto done = kernel::run_program(command({"--cleanup"}), "", 20s);
    ASSERT_TRUE(done) << done.error().what();
    EXPECT_TRUE(done->status.success()) << done->stderr_text;
  }
  const auto tables = nft({"list", "tables"});
  EXPECT_EQ(tables.find("sluice-proxy"), std::string::npos) << tables;
  EXPECT_EQ(tables.find("kube-proxy"), std::string::npos) << tables;
  EXPECT_FALSE(has_chain("iptables-nft-save", "KUBE-SERVICES"));
  EXPECT_TRUE(has_chain("iptables-nft-save", "KUBE-FIREWALL"));
  EXPECT_TRUE(has_chain("iptables-nft-save", "MINE"));
}

TEST_F(TakeOver, back_to_kube_proxy_fails_no_connection_either) {
  start_proxy();
  open_long_lived();
  (void)proxy_->stop(5s);
  inside({"iptables-nft-restore", "--noflush"}, kIptables); // kube-proxy's first sync
  nft({"delete", "table", "ip", "sluice-proxy"});
  EXPECT_EQ(ask(kTcp4).substr(0, 4), "pod2");
  EXPECT_EQ(broken_long_lived(), "");
}

/// kube-proxy in mode ipvs: the clusterIP is an address of kube-ipvs0, IPVS translates.
class TakeOverIpvs : public TakeOver {
protected:
  void SetUp() override {
    TakeOver::SetUp();
    auto opened = bed_->node().run([] { return kernel::ipvs::IpvsSocket::open(); });
    if (!opened)
      GTEST_SKIP() << opened.error().what();
    ipvs_.emplace(std::move(*opened));
    inside({"sysctl", "-w", "net.ipv4.vs.conntrack=1"});
    inside({"ip", "link", "add", "kube-ipvs0", "type", "dummy"});
    inside({"ip", "address", "add", kTcp4.ip.str() + "/32", "dev", "kube-ipvs0"});
    add_service(kTcp4);
    inside({"iptables-nft-restore", "--noflush"}, R"(*nat
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -s 172.30.0.10/32 -j MASQUERADE
COMMIT
)");
  }
  void add_service(const SocketAddress &at) {
    const kernel::ipvs::ServiceId id = kernel::ipvs::AddressId{Protocol::tcp, at};
    const auto done =
        ipvs_->apply({kernel::ipvs::AddService{{id}},
                      kernel::ipvs::AddDestination{id, {{bed_->pod(2).v4, Port{8080}}}}});
    ASSERT_TRUE(done) << done.error().what();
  }
  std::size_t services() { return ipvs_->read_services().value().size(); }

  std::optional<kernel::ipvs::IpvsSocket> ipvs_;
};

TEST_F(TakeOverIpvs, no_connection_fails_and_the_virtual_services_carry_theirs_to_their_end) {
  take_over([&] { return !has_chain("iptables-nft-save", "KUBE-SERVICES"); });
  EXPECT_EQ(services(), 1U);
  EXPECT_TRUE(eventually([&] {
    return log().find("they carry the connections that they have") != std::string::npos;
  })) << log();
}

TEST_F(TakeOverIpvs, cleanup_removes_the_virtual_services_of_kube_proxy_alone) {
  add_service({IpAddress::parse("198.51.100.9").value(), Port{80}}); // somebody else's
  EXPECT_EQ(services(), 2U);
  const auto done = kernel::run_program(command({"--cleanup"}), "", 20s);
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_TRUE(done->status.success()) << done->stderr_text;
  EXPECT_EQ(services(), 1U) << done->stderr_text;
  EXPECT_EQ(inside({"ip", "-br", "link"}).find("kube-ipvs0"), std::string::npos);
}

TEST_F(TakeOver, mode_iptables_serves_clusterips_too) {
  start_proxy({"--proxy-mode=iptables"});
  EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"}));
  EXPECT_EQ(nft({"list", "tables"}).find("sluice-proxy"), std::string::npos);
}

} // namespace
} // namespace sluice::proxy::test
