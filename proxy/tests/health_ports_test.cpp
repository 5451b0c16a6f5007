// Case numbers are those of service-semantics.md G.15 and G.18.

#include "proxy/health_ports.hpp"

#include "kube/http/socket.hpp"
#include "proxy/tests/world.hpp"

#include <atomic>
#include <condition_variable>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;
using test::ip;

const kube::ObjectKey kSvc1{"ns1", "svc1"};

kube::Service service_h(std::int32_t port = 30000) {
  auto service = test::service_s();
  service.externalTrafficPolicy = kube::TrafficPolicy::Local;
  service.healthCheckNodePort = port;
  return service;
}

struct Tracked {
  Model model{Family::ipv4, "n1"};
  HealthPortsTracker tracker;
  LocalGapTracker gaps;
  std::optional<HealthPortsWanted> last;

  Tracked() { model.set_node(test::node_n1(), ""); }
  /// Whether something else is wanted now.
  bool sync(const kube::Service &service, const std::string &endpoints) {
    model.update(service);
    model.update(test::slice_of(service, endpoints));
    const auto changed = model.sync().services;
    sums = gaps.update(model, &changed);
    auto wanted = tracker.update(model, &changed);
    if (wanted)
      last = std::move(wanted);
    return wanted.has_value();
  }
  LocalGaps sums;
};

TEST(proxy_service_health, ready_local_addresses_count_once) {
  Tracked t;
  EXPECT_TRUE(t.sync(service_h(), "L L2 R L3/unready L4/st"));
  EXPECT_EQ(t.last->services, (std::map<kube::ObjectKey, ServiceHealth>{{kSvc1, {Port{30000}, 2}}}))
      << "15.01, 15.05";
  EXPECT_EQ(t.last->addresses, std::vector{ip("0.0.0.0")});
  EXPECT_FALSE(t.sync(service_h(), "L L2 R L3/unready")) << "what does not count changes nothing";
  EXPECT_TRUE(t.sync(service_h(), "R"));
  EXPECT_EQ(t.last->services.at(kSvc1).localEndpoints, 0U) << "15.02";
  EXPECT_TRUE(t.sync(service_h(30001), "R"));
  EXPECT_EQ(t.last->services.at(kSvc1).port, Port{30001}) << "15.07";
}

TEST(proxy_service_health, only_load_balancers_with_policy_local_have_a_port) {
  Tracked t;
  EXPECT_TRUE(t.sync(service_h(), "L"));
  auto node_port = service_h();
  node_port.type = kube::ServiceType::NodePort;
  EXPECT_TRUE(t.sync(node_port, "L"));
  EXPECT_TRUE(t.last->services.empty()) << "15.12";
  auto cluster = service_h();
  cluster.externalTrafficPolicy = kube::TrafficPolicy::Cluster;
  EXPECT_FALSE(t.sync(cluster, "L"));
  EXPECT_TRUE(t.sync(service_h(), "L"));
  t.model.remove_service(kSvc1);
  const auto changed = t.model.sync().services;
  EXPECT_TRUE(t.tracker.update(t.model, &changed)->services.empty());
}

TEST(proxy_service_health, it_follows_the_addresses_of_node_ports) {
  Tracked t;
  (void)t.sync(service_h(), "L");
  auto node = test::node_n1();
  node.anyNodePortAddress = false;
  node.nodePortAddresses = {ip("192.168.0.2")};
  t.model.set_node(node, "");
  EXPECT_TRUE(t.sync(service_h(), "L"));
  EXPECT_EQ(t.last->addresses, std::vector{ip("192.168.0.2")}) << "15.11";
}

TEST(proxy_service_health, the_answer_is_kube_proxys) {
  const auto answer = service_health_answer(kSvc1, {Port{30000}, 2}, true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.weight, 2U);
  EXPECT_EQ(answer.body, R"({
	"service": {
		"namespace": "ns1",
		"name": "svc1"
	},
	"localEndpoints": 2,
	"serviceProxyHealthy": true
})");
  EXPECT_EQ(service_health_answer(kSvc1, {Port{30000}, 0}, true).status, 503);
  EXPECT_EQ(service_health_answer(kSvc1, {Port{30000}, 2}, false).status, 503);
}

TEST(proxy_service_health, c18_01_02_gaps_of_policy_local_are_counted_by_policy) {
  struct Case {
    bool internal, external;
    const char *endpoints;
    LocalGaps expected;
  };
  Tracked t;
  for (const auto &c : {Case{true, false, "R", {1, 0}}, Case{false, true, "R", {0, 1}},
                        Case{true, true, "R", {1, 1}}, Case{true, true, "L R", {0, 0}},
                        Case{true, true, "", {0, 0}}, Case{false, false, "R", {0, 0}}}) {
    auto service = test::service_s();
    const auto policy = [](bool local) {
      return local ? kube::TrafficPolicy::Local : kube::TrafficPolicy::Cluster;
    };
    service.internalTrafficPolicy = policy(c.internal);
    service.externalTrafficPolicy = policy(c.external);
    (void)t.sync(service, c.endpoints);
    EXPECT_EQ(t.sums, c.expected) << c.internal << c.external << c.endpoints;
  }
}

/// What a load balancer sees: everything until the other side closes, or "refused".
std::string fetch(const SocketAddress &to, const std::string &request) {
  auto socket = kube::http::begin_connect(to);
  if (!socket)
    return "refused";
  pollfd one{socket->get(), POLLOUT, 0};
  ::poll(&one, 1, 5000);
  if (!kube::http::connect_result(*socket))
    return "refused";
  std::string answer;
  if (::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    return "cannot send";
  one.events = POLLIN;
  std::array<char, 4096> buffer{};
  while (::poll(&one, 1, 5000) == 1) {
    const auto got = ::recv(socket->get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      break;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

std::string get(const SocketAddress &to) {
  return fetch(to, "GET /healthz HTTP/1.1\r\nHost: n1\r\n\r\n");
}

/// A port of loopback that nobody has.
Port free_port() {
  const auto socket = kube::http::listen_on({ip("127.0.0.1"), Port{0}}).value();
  return kube::http::local_address(socket)->port;
}

struct Servers {
  std::atomic<bool> healthy{true};
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> failures;
  std::unique_ptr<HealthPorts> ports;

  Servers() {
    HealthPorts::Options options;
    options.healthy = [this] { return healthy.load(); };
    options.failed = [this](const kube::ObjectKey &service, const Error &error) {
      const std::lock_guard lock(mutex);
      failures.push_back(service.str() + ": " + error.what());
      changed.notify_all();
    };
    options.retry = 20ms;
    ports = HealthPorts::start(std::move(options)).value();
  }
  void want(std::map<kube::ObjectKey, ServiceHealth> services) {
    ports->set({Family::ipv4, std::move(services), {ip("127.0.0.1")}});
  }
};

bool eventually(const std::function<bool()> &condition) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!condition())
    if (std::chrono::steady_clock::now() > deadline)
      return false;
  return true;
}

TEST(proxy_health_ports, any_method_and_path_get_the_answer) {
  Servers s;
  const SocketAddress at{ip("127.0.0.1"), free_port()};
  s.want({{kSvc1, {at.port, 2}}});
  ASSERT_TRUE(eventually([&] { return get(at).substr(0, 15) == "HTTP/1.1 200 OK"; }));
  const auto answer = get(at);
  EXPECT_NE(answer.find("X-Load-Balancing-Endpoint-Weight: 2\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(answer.find("\"localEndpoints\": 2"), std::string::npos);
  for (const auto *request :
       {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT /y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"})
    EXPECT_EQ(fetch(at, request).substr(0, 12), "HTTP/1.1 200") << request;
  const auto head = fetch(at, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n") << "no body";
  EXPECT_EQ(fetch(at, "nonsense\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  s.healthy = false;
  EXPECT_EQ(get(at).substr(0, 12), "HTTP/1.1 503");
}

TEST(proxy_health_ports, they_come_and_go_with_their_services) {
  Servers s;
  const SocketAddress one{ip("127.0.0.1"), free_port()}, two{ip("127.0.0.1"), free_port()};
  s.want({{kSvc1, {one.port, 0}}});
  ASSERT_TRUE(eventually([&] { return get(one).substr(0, 12) == "HTTP/1.1 503"; }));
  s.want({{kSvc1, {two.port, 1}}});
  ASSERT_TRUE(eventually([&] { return get(two).substr(0, 12) == "HTTP/1.1 200"; }));
  EXPECT_TRUE(eventually([&] { return get(one) == "refused"; }));
  s.want({});
  EXPECT_TRUE(eventually([&] { return get(two) == "refused"; }));
}

TEST(proxy_health_ports, a_port_that_is_taken_is_told_once_and_had_later) {
  Servers s;
  auto holder = kube::http::listen_on({ip("127.0.0.1"), Port{0}}).value();
  const auto at = kube::http::local_address(holder).value();
  const SocketAddress other{ip("127.0.0.1"), free_port()};
  s.want({{kSvc1, {at.port, 1}}, {{"ns1", "svc2"}, {other.port, 1}}});
  ASSERT_TRUE(eventually([&] { return get(other).substr(0, 12) == "HTTP/1.1 200"; }))
      << "the other Service is not held up";
  {
    std::unique_lock lock(s.mutex);
    ASSERT_TRUE(s.changed.wait_for(lock, 10s, [&] { return !s.failures.empty(); }));
  }
  holder.reset();
  EXPECT_TRUE(eventually([&] { return get(at).substr(0, 12) == "HTTP/1.1 200"; }));
  const std::lock_guard lock(s.mutex);
  ASSERT_EQ(s.failures.size(), 1U);
  EXPECT_EQ(s.failures.front().substr(0, 10), "ns1/svc1: ");
}

} // namespace
} // namespace sluice::proxy
