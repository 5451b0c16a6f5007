// Mode ipvs as an operator has it: the flags, the kernel's parameters behind them, and what others
// have in IPVS (service-semantics.md H20 to H23). On a kernel without IPVS nothing of it can run.

#include "kernel/ipvs/ipvs.hpp"
#include "kernel/sysctl.hpp"
#include "kube/daemon/control_socket.hpp"
#include "proxy/tests/node/proxy_fixture.hpp"

#include <nlohmann/json.hpp>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;
using namespace kernel::ipvs;
using nlohmann::json;

class IpvsMode : public SluiceProxy {
protected:
  void SetUp() override {
    if (const auto opened = IpvsSocket::open(); !opened)
      GTEST_SKIP() << opened.error().what();
    SluiceProxy::SetUp();
    auto opened = bed_->node().run([] { return IpvsSocket::open(); });
    ASSERT_TRUE(opened) << opened.error().what();
    ipvs_.emplace(std::move(*opened));
  }
  void start_ipvs(std::vector<std::string> more = {}) {
    more.emplace_back("--proxy-mode=ipvs");
    start_proxy(std::move(more));
  }
  std::string sysctl(const std::string &name) {
    return bed_->node().run([&] { return kernel::Sysctl().read(name); }).value_or("");
  }
  /// Ours and those of others.
  std::vector<ServiceInfo> services(bool marked) {
    auto all = ipvs_->read_services().value();
    all.erase(std::remove_if(all.begin(), all.end(),
                             [&](const ServiceInfo &info) {
                               const auto *id = std::get_if<MarkId>(&info.service.id);
                               return marked != (id != nullptr && id->mark != kForeignMark);
                             }),
              all.end());
    return all;
  }
  /// Virtual services that somebody else has: by address, one of them a service address, and by
  /// mark.
  void add_foreign() {
    for (const auto &id : foreign())
      ASSERT_TRUE(ipvs_->apply(
          {AddService{{.id = id, .scheduler = "lc"}},
           AddDestination{id, {.address = {bed_->pod(3).v4, Port{8080}}, .weight = 5}}}));
  }
  void expect_foreign() {
    for (const auto &id : foreign()) {
      const auto found = ipvs_->read_destinations(id);
      ASSERT_TRUE(found) << found.error().what();
      ASSERT_EQ(found->size(), 1U) << to_string(id);
      EXPECT_EQ(found->front().destination.weight, 5U) << to_string(id);
    }
  }
  std::vector<ServiceId> foreign() const {
    return {AddressId{Protocol::tcp, {IpAddress::parse("192.0.2.1").value(), Port{9000}}},
            AddressId{Protocol::tcp, {IpAddress::parse("172.30.0.99").value(), Port{80}}},
            MarkId{Family::ipv4, kForeignMark}};
  }
  /// The endpoints that drain.
  std::string draining() {
    const auto answer = kube::daemon::control_call(socket(), {{"verb", "status"}});
    return answer ? answer->at("families").at(0).at("drainingEndpoints").dump()
                  : answer.error().what();
  }
  json mode(const std::string &wanted = "") {
    const auto answer = kube::daemon::control_call(socket(), {{"verb", "mode"}, {"mode", wanted}});
    return answer ? *answer : json{{"error", answer.error().what()}};
  }

  static constexpr std::uint32_t kForeignMark = 0x77;
  std::optional<IpvsSocket> ipvs_;
};

TEST_F(IpvsMode, timeouts_and_parameters_are_as_the_flags_say) {
  const auto before = ipvs_->read_timeouts().value();
  start_ipvs();
  EXPECT_EQ(*ipvs_->read_timeouts(), before);
  EXPECT_EQ(sysctl("net/ipv4/conf/all/arp_ignore"), "0");
  EXPECT_EQ(sysctl("net/ipv4/conf/all/arp_announce"), "0");
  (void)proxy_->stop(5s);
  start_ipvs({"--ipvs-tcp-timeout=20m", "--ipvs-udp-timeout=1500ms", "--ipvs-strict-arp",
              "--ipvs-exclude-cidrs=172.30.0.0/16,2001:db8::/32", "--ipvs-scheduler=lc"});
  EXPECT_EQ(*ipvs_->read_timeouts(), (Timeouts{20min, before.tcp_fin, 2s}))
      << "0 leaves it, and what is given is rounded up";
  EXPECT_EQ(sysctl("net/ipv4/conf/all/arp_ignore"), "1");
  EXPECT_EQ(sysctl("net/ipv4/conf/all/arp_announce"), "2");
  for (const auto *name : {"conntrack", "expire_nodest_conn", "conn_reuse_mode"})
    EXPECT_EQ(sysctl(std::string("net/ipv4/vs/") + name), "1") << name;
  for (const auto &info : services(true))
    EXPECT_EQ(info.service.scheduler, "lc");
  EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"}))
      << "excluded networks are those of virtual servers of others";
}

TEST_F(IpvsMode, sync_period_is_how_often_the_kernel_is_read_back) {
  start_ipvs({"--ipvs-sync-period=1s"});
  const auto weights = [&] {
    std::map<std::pair<ServiceId, SocketAddress>, std::uint32_t> found;
    for (const auto &info : services(true)) {
      const auto read = ipvs_->read_destinations(info.service.id).value();
      for (const auto &one : read)
        found[{info.service.id, one.destination.address}] = one.destination.weight;
    }
    return found;
  };
  const auto right = weights();
  EXPECT_EQ(right.size(), 8U) << "two endpoints, two ports, two families";
  for (const auto weight : {0U, 3U}) {
    for (const auto &[where, one] : right) {
      const Op op = EditDestination{where.first, {.address = where.second, .weight = weight}};
      ASSERT_TRUE(ipvs_->apply({op}));
    }
    EXPECT_TRUE(eventually([&] { return weights() == right; })) << "weight " << weight << log();
  }
  EXPECT_NE(log().find("are not as they should be"), std::string::npos) << log();
}

TEST_F(IpvsMode, min_sync_period_merges_what_comes_in_between) {
  start_ipvs({"--ipvs-min-sync-period=2s"});
  endpoints({2});
  ASSERT_TRUE(eventually([&] { return who_answers(kTcp4) == std::set<std::string>{"pod2"}; }));
  const auto began = std::chrono::steady_clock::now();
  endpoints({3});
  ASSERT_TRUE(eventually([&] { return ask(kTcp4).substr(0, 4) == "pod3"; }));
  endpoints({2});
  ASSERT_TRUE(eventually([&] { return ask(kTcp4).substr(0, 4) == "pod2"; }));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 2s);
}

TEST_F(IpvsMode, a_scheduler_that_the_kernel_does_not_have_ends_the_start_and_undoes_a_change) {
  launch_proxy({"--proxy-mode=ipvs", "--ipvs-scheduler=best"});
  const auto ended = proxy_->wait_for(20s);
  ASSERT_TRUE(ended) << ended.error().what();
  EXPECT_FALSE(ended->success());
  for (const auto *says : {"no IPVS scheduler \\\"best\\\"", "modprobe ip_vs_best", "rr, wrr, lc"})
    EXPECT_NE(log().find(says), std::string::npos) << says << "\n" << log();
  proxy_.reset();
  start_proxy({"--proxy-mode=nftables", "--ipvs-scheduler=best"});
  mode("ipvs");
  EXPECT_TRUE(eventually([&] { return in_step() && mode().value("mode", "") == "nftables"; }));
  EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"}));
  EXPECT_TRUE(ipvs_->read_services()->empty());
}

TEST_F(IpvsMode, h20_a_long_connection_outlives_its_endpoint_and_restarts_and_ends_at_the_limit) {
  endpoints({2});
  start_ipvs({"--ipvs-sync-period=1s"});
  auto kept = TestClient::connect(bed_->pod(1).netns, kTcp4, Protocol::tcp, 10s);
  ASSERT_TRUE(kept) << kept.error().what();
  EXPECT_EQ(kept->ask().value_or("").substr(0, 4), "pod2");
  endpoints({3});
  EXPECT_TRUE(eventually([&] { return ask(kTcp4).substr(0, 4) == "pod3"; }));
  (void)proxy_->stop(5s);
  start_ipvs({"--ipvs-sync-period=1s"});
  const auto answer = kept->ask();
  ASSERT_TRUE(answer) << answer.error().what();
  EXPECT_EQ(answer->substr(0, 4), "pod2");
  EXPECT_TRUE(eventually([&] {
    return draining().find(bed_->pod(2).v4.str() + ":") != std::string::npos;
  })) << draining();
  EXPECT_EQ(ask(kTcp4).substr(0, 4), "pod3");
  (void)proxy_->stop(5s);
  start_ipvs({"--ipvs-sync-period=1s", "--ipvs-drain-limit=1s"});
  EXPECT_TRUE(eventually([&] { return !kept->ask(); }));
  EXPECT_EQ(ask(kTcp4).substr(0, 4), "pod3");
}

TEST_F(IpvsMode,
       h22_what_listens_on_every_address_of_the_node_is_not_reached_by_a_service_address) {
  auto host = NamedServer::start(bed_->node(), "host", Port{9999});
  auto shadow = NamedServer::start(bed_->node(), "host", kTcp4.port); // the Service's own port
  ASSERT_TRUE(host && shadow);
  start_ipvs();
  const SocketAddress other{kTcp4.ip, Port{9999}},
      nobody{IpAddress::parse("172.30.0.77").value(), Port{9999}};
  const auto not_by_the_host = [&](const SocketAddress &to, Protocol protocol) {
    const auto answer = bed_->ask(bed_->node(), to, protocol);
    EXPECT_NE(answer.substr(0, 4), "host") << to.str() << " from the node";
    return ask(to, protocol);
  };
  for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
    EXPECT_EQ(not_by_the_host(other, protocol), "refused");
    EXPECT_EQ(not_by_the_host(nobody, protocol), "timeout");
  }
  const auto addresses = run_inside(bed_->node(), {"ip", "-o", "address"}).value_or("");
  EXPECT_EQ(addresses.find("172.30."), std::string::npos) << addresses;
  endpoints({});
  EXPECT_TRUE(eventually([&] { return not_by_the_host(kTcp4, Protocol::tcp) == "refused"; }));
  api_->remove("services", "default", "web");
  EXPECT_TRUE(eventually([&] { return not_by_the_host(kTcp4, Protocol::tcp) == "timeout"; }));
}

TEST_F(IpvsMode, h23_virtual_servers_of_others_outlive_changes_of_mode_and_cleanup) {
  add_foreign();
  start_ipvs({"--ipvs-sync-period=1s"});
  EXPECT_EQ(who_answers(kTcp4), (std::set<std::string>{"pod2", "pod3"}));
  expect_foreign();
  mode("nftables");
  EXPECT_TRUE(eventually([&] { return services(true).empty(); }) ||
              eventually([&] { return services(true).empty(); }))
      << log();
  expect_foreign();
  mode("ipvs");
  EXPECT_TRUE(eventually([&] { return !services(true).empty() && in_step(); }));
  expect_foreign();
  (void)proxy_->stop(5s);
  const auto done = kernel::run_program(command({"--cleanup"}), "", 20s);
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_TRUE(done->status.success()) << done->stderr_text;
  EXPECT_TRUE(services(true).empty());
  expect_foreign();
  EXPECT_EQ(nft({"list", "tables"}).find("sluice"), std::string::npos);
}

} // namespace
} // namespace sluice::proxy::test
