#include "cli/netexec/client.hpp"
#include "cli/netexec/server.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <thread>

using namespace sluice;
using namespace sluice::netexec;

namespace {

/// A server on a thread of its own, ended by the request /exit.
class Running {
public:
  explicit Running(Server server)
      : ports_(server.ports()), thread_([this, moved = std::move(server)]() mutable {
          auto code = moved.run();
          code_ = code ? *code : -1;
        }) {}
  int end_with(int code) {
    (void)call(url("http", ports_.http, "/exit?" + std::to_string(code)), std::chrono::seconds(5));
    thread_.join();
    return code_;
  }
  static Target url(const std::string &scheme, Port port, const std::string &path = "/",
                    const std::string &host = "127.0.0.1") {
    return *Target::parse(scheme + "://" + host + ":" + std::to_string(port.value) + path);
  }
  const Server::Ports &ports() const { return ports_; }

private:
  Server::Ports ports_;
  int code_ = -1;
  std::thread thread_;
};

} // namespace

TEST(netexec_server, answers_on_every_protocol_with_its_name_and_leaves_with_the_code_asked_for) {
  auto server = Server::start({Port(0), Port(0), Port(0), "web-1", {}});
  ASSERT_TRUE(server) << server.error().what();
  Running running(std::move(*server));
  const auto timeout = std::chrono::seconds(5);
  for (const auto &target :
       {Running::url("http", running.ports().http), Running::url("tcp", running.ports().tcp),
        Running::url("udp", running.ports().udp)}) {
    const auto pod = call(target, timeout);
    ASSERT_TRUE(pod) << pod.error().what();
    EXPECT_EQ(*pod, "web-1");
  }
  const auto missing = call(Running::url("http", running.ports().http, "/nowhere"), timeout);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what().find("404"), std::string::npos) << missing.error().what();
  EXPECT_EQ(running.end_with(3), 3);
}

TEST(netexec_server, readiness_is_turned_off_and_on_by_request) {
  auto server = Server::start({Port(0), std::nullopt, std::nullopt, "web-1", {}});
  ASSERT_TRUE(server) << server.error().what();
  Running running(std::move(*server));
  const auto ask = [&](const char *path) {
    return call(Running::url("http", running.ports().http, path), std::chrono::seconds(5));
  };
  EXPECT_TRUE(ask("/readyz"));
  EXPECT_TRUE(ask("/unready"));
  EXPECT_FALSE(ask("/readyz"));
  EXPECT_TRUE(ask("/ready"));
  EXPECT_TRUE(ask("/readyz"));
  EXPECT_EQ(running.end_with(0), 0);
}

TEST(netexec_load, a_report_counts_answers_by_pod_and_failures_by_reason) {
  auto server = Server::start({Port(0), std::nullopt, std::nullopt, "web-1", {}});
  ASSERT_TRUE(server) << server.error().what();
  Running running(std::move(*server));
  LoadOptions options;
  options.target = Running::url("http", running.ports().http);
  options.requests = 10;
  const auto good = run_load(options);
  EXPECT_EQ(good.sent, 10U);
  EXPECT_EQ(good.failed, 0U);
  EXPECT_EQ(good.answers.at("web-1"), 10U);
  EXPECT_EQ(running.end_with(0), 0);

  const auto bad = run_load(options);
  EXPECT_EQ(bad.failed, 10U);
  EXPECT_NE(bad.str().find("Connection refused"), std::string::npos) << bad.str();
}
