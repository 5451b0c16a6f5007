// The proxy goes and comes while 50 new connections a second and 100 old ones use its rules: nobody
// notices (service-semantics.md H10).

#include "proxy/tests/node/proxy_fixture.hpp"

#include <csignal>
#include <fcntl.h>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kPace = 20ms; ///< 50 a second
constexpr unsigned kOldConnections = 100;

class Restart : public SluiceProxy {
protected:
  void SetUp() override {
    SluiceProxy::SetUp();
    auto object = service();
    object["spec"]["type"] = "NodePort";
    object["spec"]["ports"][0]["nodePort"] = 31080;
    api_->put("services", object);
    start_proxy();
    const SocketAddress node_port{IpAddress::parse("10.244.1.1").value(), Port{31080}};
    targets_ = {{kTcp4, Protocol::tcp}, {kTcp6, Protocol::tcp},     {kUdp4, Protocol::udp},
                {kUdp6, Protocol::udp}, {node_port, Protocol::tcp}, {kTcp4, Protocol::tcp}};
    for (unsigned i = 0; i < kOldConnections; ++i) {
      const auto &[to, protocol] = targets_[i % targets_.size()];
      auto one = TestClient::connect(bed_->pod(1).netns, to, protocol, 2s);
      ASSERT_TRUE(one) << one.error().what();
      const auto answer = one->ask();
      ASSERT_TRUE(answer) << to.str() << ": " << answer.error().what();
      old_.push_back({std::move(*one), *answer});
    }
    threads_.emplace_back([this] { open_new_ones(); });
    threads_.emplace_back([this] { use_old_ones(); });
  }

  void TearDown() override {
    stop();
    SluiceProxy::TearDown();
  }

  void stop() {
    stop_ = true;
    for (auto &thread : threads_)
      thread.join();
    threads_.clear();
  }

  /// So many more new connections, and each old one used once more.
  void let_some_pass(unsigned connections) {
    const auto rounds = rounds_ + 2; // one that began before does not count
    const auto until = opened_ + connections;
    ASSERT_TRUE(eventually([&] { return (opened_ >= until && rounds_ >= rounds) || failed_; }));
  }

  void expect_no_failure() {
    stop();
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(failure_, "") << "after " << opened_ << " new connections and " << rounds_
                            << " rounds over " << kOldConnections << " old ones";
    RecordProperty("opened", static_cast<int>(opened_));
  }

  /// Beside the one that runs.
  void start_another() {
    const auto said = log().size();
    launch_proxy();
    ASSERT_TRUE(eventually([&] {
      const auto since = log().substr(said);
      return since.find("in the kernel family=IPv4") != std::string::npos &&
             since.find("in the kernel family=IPv6") != std::string::npos;
    }));
  }

  void end_proxy(int signal) {
    (void)proxy_->signal(signal);
    const auto ended = proxy_->wait_for(5s);
    ASSERT_TRUE(ended) << ended.error().what();
  }

private:
  void open_new_ones() {
    auto next = std::chrono::steady_clock::now();
    for (unsigned i = 0; !stop_; ++i) {
      const auto &[to, protocol] = targets_[i % targets_.size()];
      const auto answer = ask(to, protocol);
      if (answer.substr(0, 3) != "pod")
        note("new connection to " + to.str() + "/" + std::string(name_of(protocol)) + ": " +
             answer);
      ++opened_;
      std::this_thread::sleep_until(next += kPace);
    }
  }

  void use_old_ones() {
    while (!stop_) {
      for (std::size_t i = 0; i < old_.size(); ++i) {
        auto &[client, peer] = old_[i];
        const auto &[to, protocol] = targets_[i % targets_.size()];
        const auto what = "old connection to " + to.str() + "/" + std::string(name_of(protocol));
        const auto answer = client.ask();
        if (!answer)
          note(what + ": " + answer.error().what());
        else if (*answer != peer)
          note(what + " at \"" + peer + "\" is answered by \"" + *answer + "\"");
      }
      ++rounds_;
    }
  }

  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    if (failure_.empty())
      failure_ = std::move(what);
    failed_ = true;
  }

  std::vector<std::pair<SocketAddress, Protocol>> targets_;
  std::vector<std::pair<TestClient, std::string>> old_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false}, failed_{false};
  std::atomic<unsigned> opened_{0}, rounds_{0};
  std::mutex mutex_; ///< guards `failure_`
  std::string failure_;
};

TEST_F(Restart, killed_three_times_nothing_fails) {
  for (int round = 0; round < 3; ++round) {
    let_some_pass(25);
    end_proxy(SIGKILL);
    let_some_pass(25);
    start_proxy();
  }
  let_some_pass(25);
  expect_no_failure();
}

TEST_F(Restart, told_to_stop_three_times_nothing_fails) {
  for (int round = 0; round < 3; ++round) {
    let_some_pass(25);
    end_proxy(SIGTERM);
    let_some_pass(25);
    start_proxy();
  }
  let_some_pass(25);
  expect_no_failure();
}

TEST_F(Restart, killed_while_it_writes_nothing_fails) {
  for (int round = 0; round < 5; ++round) {
    // Another Service comes and goes, so that the proxy is in the middle of something.
    auto other = service("other");
    other["spec"]["clusterIP"] = "172.30.0.20";
    other["spec"]["clusterIPs"] = {"172.30.0.20"};
    other["spec"]["ipFamilies"] = {"IPv4"};
    for (int i = 0; i < 20; ++i) {
      api_->put("services", other);
      api_->remove("services", "default", "other");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    end_proxy(SIGKILL);
    let_some_pass(10);
    start_proxy();
  }
  let_some_pass(25);
  expect_no_failure();
}

/// An upgrade with maxSurge: the new one starts while the old one runs, both write the same rules,
/// and the old one goes.
TEST_F(Restart, an_upgrade_that_overlaps_fails_nothing) {
  for (int round = 0; round < 2; ++round) {
    auto old = std::move(proxy_);
    start_another();
    let_some_pass(25);
    endpoints({2, 3});
    (void)old->stop(5s);
    let_some_pass(25);
    ASSERT_TRUE(eventually([&] { return in_step(); })) << "it takes the control socket over";
  }
  expect_no_failure();
}

/// What an upgrade to another layout of the table does as well: all of it in one transaction.
TEST_F(Restart, a_table_that_is_replaced_fails_nothing) {
  auto wide = service("wide");
  wide["spec"]["type"] = "NodePort";
  wide["spec"]["clusterIP"] = "172.30.0.20";
  wide["spec"]["clusterIPs"] = {"172.30.0.20"};
  wide["spec"]["ipFamilies"] = {"IPv4"};
  auto &ports = wide["spec"]["ports"] = json::array();
  for (int i = 0; i < 1100; ++i) // the map has room for 1024
    ports.push_back({{"name", "p" + std::to_string(i)},
                     {"protocol", "TCP"},
                     {"port", 1000 + i},
                     {"nodePort", 31100 + i}});
  const auto handle = [&] {
    const auto tables = nft({"-a", "list", "table", "ip", "sluice-proxy"});
    const auto at = tables.find("handle ");
    return tables.substr(at, tables.find('\n') - at);
  };
  const auto before = handle();
  let_some_pass(25);
  api_->put("services", wide);
  EXPECT_TRUE(eventually([&] { return handle() != before; })) << "it was not replaced";
  let_some_pass(25);
  expect_no_failure();
}

} // namespace
} // namespace sluice::proxy::test
