// The real sluice-proxy against a real kube-apiserver, where one is given (docs/hacking.md): what
// kubectl writes there is what sluicectl shows and what packets meet.

#include "integration/apiserver/kube_apiserver.hpp"
#include "integration/shell.hpp"
#include "proxy/tests/node/testbed.hpp"

#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::integration {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Answers = std::set<std::string>;

constexpr const char *kAddress = "192.0.2.1"; ///< of the node's uplink
constexpr const char *kNode = R"({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"},
  "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}})";

std::string service(int port) {
  return R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 172.30.0.10
  ports:
  - {name: http, port: )" +
         std::to_string(port) + R"(, targetPort: 8080}
  - {name: dns, port: 53, targetPort: 8080, protocol: UDP}
)";
}

/// Of the pods with these numbers.
std::string slice(const std::vector<int> &pods) {
  std::string text = R"(---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: dns, port: 8080, protocol: UDP}]
endpoints:
)";
  for (const int pod : pods)
    text += "- {addresses: [10.244." + std::to_string(pod) +
            ".2], nodeName: n1, conditions: {ready: true}}\n";
  return text;
}

class integration_apiserver : public testing::Test {
protected:
  static void SetUpTestSuite() {
    const auto programs = KubePrograms::from_environment();
    if (!programs)
      return;
    auto bed = proxy::test::Testbed::create(3);
    ASSERT_TRUE(bed) << bed.error().what();
    bed_ = std::move(*bed);
    auto server = KubeApiserver::start(bed_->node(), *programs, kAddress);
    ASSERT_TRUE(server) << server.error().what();
    server_ = std::move(*server);
    kubectl({"create", "-f", "-"}, kNode);
    start_proxy();
  }
  static void TearDownTestSuite() {
    if (proxy_)
      (void)proxy_->stop(5s);
    proxy_.reset();
    server_.reset();
    bed_.reset();
  }

  void SetUp() override {
    if (!KubePrograms::from_environment())
      GTEST_SKIP() << "no kube-apiserver is given: SLUICE_KUBE_APISERVER=/path/to/kube-apiserver "
                      "[SLUICE_ETCD=/path/to/etcd], see docs/hacking.md";
    kubectl({"apply", "-f", "-"}, service(80) + slice({2, 3}));
    ASSERT_FALSE(HasFailure()) << "the API server does not take what is served";
    expect({"pod2", "pod3"}, 80);
  }
  void TearDown() override {
    if (!server_)
      return;
    kubectl({"delete", "--ignore-not-found", "service/web", "endpointslice/web-1"});
    if (HasFailure())
      std::cerr << folder_->read("log") << server_->log();
  }

  static std::string socket() { return folder_->path("proxy.sock"); }
  static void start_proxy() {
    const UniqueFd log(
        ::open(folder_->path("log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    kernel::SpawnOptions options;
    options.argv = {SLUICE_BIN_DIR "/sluice-proxy",
                    "--kubeconfig=" + server_->kubeconfig("system:kube-proxy"),
                    "--hostname-override=n1",
                    "--cluster-cidr=10.244.0.0/16",
                    "--service-cidrs=172.30.0.0/16",
                    "--control-socket=" + socket(),
                    "--v=4"};
    options.stdout_fd = options.stderr_fd = log.get();
    options.netns_fd = bed_->node().fd();
    options.parent_death_signal = SIGKILL;
    auto child = kernel::spawn(options);
    ASSERT_TRUE(child) << child.error().what();
    proxy_ = std::move(*child);
  }

  static std::string kubectl(std::vector<std::string> arguments, const std::string &input = "") {
    const auto said = server_->kubectl(std::move(arguments), input);
    EXPECT_TRUE(said) << said.error().what();
    return said.value_or("");
  }
  /// `sluicectl <arguments> -o json`; null if it failed.
  static json sluicectl(const std::string &arguments) {
    const auto said =
        shell(SLUICE_BIN_DIR "/sluicectl " + arguments + " -o json --socket " + quoted(socket()));
    return said.ok() ? json::parse(said.text, nullptr, false) : json();
  }
  static json explain(const std::string &to) { return sluicectl("explain 10.244.1.2 " + to); }

  /// "web:80" and so on: what the proxy's table has for our Service.
  static Answers frontends() {
    Answers found;
    const auto dump = sluicectl("proxy dump");
    for (const auto &table : dump.value("tables", json::array()))
      for (const auto &frontend : table["frontends"])
        if (frontend["service"].get<std::string>().find("default/web") == 0)
          found.insert(frontend["frontend"].get<std::string>());
    return found;
  }

  static std::string ask(int port, Protocol protocol = Protocol::tcp) {
    const auto answer =
        bed_->ask(bed_->pod(1).netns,
                  {IpAddress::parse("172.30.0.10").value(), Port{static_cast<std::uint16_t>(port)}},
                  protocol);
    return answer.substr(0, answer.find(' '));
  }
  /// Who answers pod 1 in 30 tries.
  static Answers answers(int port, Protocol protocol = Protocol::tcp) {
    Answers found;
    for (int i = 0; i < 30; ++i)
      if (found.insert(ask(port, protocol)).first->rfind("pod", 0) != 0)
        break;
    return found;
  }
  static void expect(const Answers &wanted, int port, Protocol protocol = Protocol::tcp) {
    Answers got;
    EXPECT_TRUE(eventually(20s, [&] { return (got = answers(port, protocol)) == wanted; }))
        << "port " << port << ": " << testing::PrintToString(got);
  }
  static void expect_frontends(const Answers &wanted) {
    Answers got;
    EXPECT_TRUE(eventually(20s, [&] { return (got = frontends()) == wanted; }))
        << testing::PrintToString(got);
  }

  static std::unique_ptr<proxy::test::Testbed> bed_;
  static std::unique_ptr<KubeApiserver> server_;
  static std::optional<kernel::Child> proxy_;
  static std::unique_ptr<kube::testing::TempFolder> folder_;
};

std::unique_ptr<proxy::test::Testbed> integration_apiserver::bed_;
std::unique_ptr<KubeApiserver> integration_apiserver::server_;
std::optional<kernel::Child> integration_apiserver::proxy_;
std::unique_ptr<kube::testing::TempFolder> integration_apiserver::folder_ =
    std::make_unique<kube::testing::TempFolder>();

TEST_F(integration_apiserver, a_service_and_its_slice_are_served) {
  expect({"pod2", "pod3"}, 53, Protocol::udp);
  expect_frontends({"172.30.0.10:80/TCP", "172.30.0.10:53/UDP"});
  const auto answer = explain("172.30.0.10:80");
  EXPECT_EQ(answer.value("/model/verdict"_json_pointer, ""), "translate") << answer.dump(2);
  EXPECT_EQ(answer.value("differences", json()), json::array()) << answer.dump(2);
}

TEST_F(integration_apiserver, a_changed_slice_is_followed) {
  kubectl({"replace", "-f", "-"}, slice({3}));
  expect({"pod3"}, 80);
  expect({"pod3"}, 53, Protocol::udp);
  const auto answer = explain("172.30.0.10:80");
  EXPECT_NE(answer.dump().find("10.244.3.2:8080"), std::string::npos) << answer.dump(2);
  EXPECT_EQ(answer.dump().find("10.244.2.2"), std::string::npos) << answer.dump(2);
}

TEST_F(integration_apiserver, a_deleted_slice_refuses_and_a_new_one_serves) {
  kubectl({"delete", "endpointslice/web-1"});
  expect({"refused"}, 80);
  EXPECT_EQ(explain("172.30.0.10:80").value("/model/verdict"_json_pointer, ""), "reject");
  kubectl({"apply", "-f", "-"}, slice({2}));
  expect({"pod2"}, 80);
}

TEST_F(integration_apiserver, a_changed_port_moves_the_service) {
  kubectl({"apply", "-f", "-"}, service(81));
  expect({"pod2", "pod3"}, 81);
  expect_frontends({"172.30.0.10:81/TCP", "172.30.0.10:53/UDP"});
  expect({"refused"}, 80);
}

TEST_F(integration_apiserver, a_deleted_service_is_gone) {
  kubectl({"delete", "service/web"});
  expect_frontends({});
  EXPECT_EQ(ask(80), "timeout") << "an address of the service range that nobody has is dropped";
}

TEST_F(integration_apiserver, while_the_server_is_away_all_goes_on_and_later_changes_arrive) {
  server_->stop_apiserver();
  expect({"pod2", "pod3"}, 80);
  const auto back = server_->start_apiserver();
  ASSERT_TRUE(back) << back.error().what();
  kubectl({"replace", "-f", "-"}, slice({2}));
  expect({"pod2"}, 80);
}

struct WrongProgram {
  const char *name;
  KubePrograms programs;
  std::vector<std::string> words; ///< of the error
};

TEST(kube_apiserver_programs, a_wrong_one_is_named_with_its_variable) {
  auto where = kernel::NetNs::create();
  ASSERT_TRUE(where) << where.error().what();
  const std::vector<WrongProgram> cases{
      {"no etcd", {"/bin/true", "/nowhere/etcd"}, {"SLUICE_ETCD=\"/nowhere/etcd\"", "etcd-server"}},
      {"an etcd that is none",
       {"/bin/sleep", "/bin/false"},
       {"SLUICE_ETCD=\"/bin/false\"", "exited"}},
      {"no kube-apiserver",
       {"/nowhere/kube-apiserver", "/bin/cat"},
       {"SLUICE_KUBE_APISERVER=\"/nowhere/kube-apiserver\"", "No such file"}},
  };
  for (const auto &one : cases) {
    SCOPED_TRACE(one.name);
    const auto started = KubeApiserver::start(*where, one.programs, kAddress);
    ASSERT_FALSE(started);
    for (const auto &word : one.words)
      EXPECT_NE(started.error().what().find(word), std::string::npos) << started.error().what();
  }
}

} // namespace
} // namespace sluice::integration
