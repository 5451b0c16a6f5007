#include "proxy/tests/node/proxy_fixture.hpp"

#include "kube/daemon/control_socket.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace sluice::proxy::test {

using namespace std::chrono_literals;
using nlohmann::json;

bool eventually(const std::function<bool()> &condition, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    ::usleep(2000);
  }
  return true;
}

const SocketAddress kTcp4{IpAddress::parse("172.30.0.10").value(), Port{80}};
const SocketAddress kTcp6{IpAddress::parse("2001:db8:172::10").value(), Port{80}};
const SocketAddress kUdp4{kTcp4.ip, Port{53}};
const SocketAddress kUdp6{kTcp6.ip, Port{53}};

json service(const std::string &name) {
  return {{"kind", "Service"},
          {"apiVersion", "v1"},
          {"metadata", {{"namespace", "default"}, {"name", name}}},
          {"spec",
           {{"type", "ClusterIP"},
            {"clusterIP", kTcp4.ip.str()},
            {"clusterIPs", {kTcp4.ip.str(), kTcp6.ip.str()}},
            {"ipFamilies", {"IPv4", "IPv6"}},
            {"ports",
             {{{"name", "http"}, {"protocol", "TCP"}, {"port", 80}},
              {{"name", "dns"}, {"protocol", "UDP"}, {"port", 53}}}}}}};
}

void SluiceProxy::SetUp() {
  auto bed = Testbed::create(3);
  ASSERT_TRUE(bed) << bed.error().what();
  bed_ = std::move(*bed);
  auto api = ApiStub::start(bed_->node());
  ASSERT_TRUE(api) << api.error().what();
  api_ = std::move(*api);
  std::string pattern = std::filesystem::temp_directory_path() / "slc-proxy-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  api_->put("nodes",
            {{"kind", "Node"},
             {"apiVersion", "v1"},
             {"metadata", {{"name", "n1"}}},
             {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", "10.244.1.1"}}}}}}});
  api_->put("services", service());
  endpoints({2, 3});
}

void SluiceProxy::TearDown() {
  if (proxy_)
    (void)proxy_->stop(5s);
  if (HasFailure())
    std::cerr << log();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void SluiceProxy::endpoints(const std::vector<unsigned> &pods) {
  for (const bool v4 : {true, false}) {
    auto list = json::array();
    for (const auto number : pods) {
      const auto &pod = bed_->pod(number);
      list.push_back({{"addresses", {(v4 ? pod.v4 : pod.v6).str()}},
                      {"nodeName", "n1"},
                      {"conditions", {{"ready", true}}}});
    }
    api_->put("endpointslices", {{"kind", "EndpointSlice"},
                                 {"apiVersion", "discovery.k8s.io/v1"},
                                 {"metadata",
                                  {{"namespace", "default"},
                                   {"name", v4 ? "web-v4" : "web-v6"},
                                   {"labels", {{"kubernetes.io/service-name", "web"}}}}},
                                 {"addressType", v4 ? "IPv4" : "IPv6"},
                                 {"ports",
                                  {{{"name", "http"}, {"protocol", "TCP"}, {"port", 8080}},
                                   {{"name", "dns"}, {"protocol", "UDP"}, {"port", 8080}}}},
                                 {"endpoints", std::move(list)}});
  }
}

kernel::SpawnOptions SluiceProxy::command(std::vector<std::string> more) {
  kernel::SpawnOptions options;
  options.argv = {SLUICE_BIN_DIR "/sluice-proxy",
                  "--master=" + api_->url(),
                  "--hostname-override=n1",
                  "--cluster-cidr=10.244.0.0/16,2001:db8:244::/48",
                  "--service-cidrs=172.30.0.0/16,2001:db8:172::/112",
                  "--control-socket=" + socket(),
                  "--v=4"};
  const bool says_mode = std::any_of(more.begin(), more.end(), [](const std::string &flag) {
    return flag.rfind("--proxy-mode=", 0) == 0;
  });
  if (const char *mode = std::getenv("SLUICE_PROXY_MODE"); mode != nullptr && !says_mode)
    more.push_back(std::string("--proxy-mode=") + mode);
  options.argv.insert(options.argv.end(), more.begin(), more.end());
  options.netns_fd = bed_->node().fd();
  options.parent_death_signal = SIGKILL;
  return options;
}

void SluiceProxy::launch_proxy(std::vector<std::string> more) {
  UniqueFd out(::open(log_file().c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  auto options = command(std::move(more));
  options.stdout_fd = options.stderr_fd = out.get();
  auto child = kernel::spawn(options);
  ASSERT_TRUE(child) << child.error().what();
  proxy_ = std::move(*child);
}

void SluiceProxy::start_proxy(std::vector<std::string> more) {
  launch_proxy(std::move(more));
  // The first rules of a virtual machine make its kernel load a dozen modules, slowly.
  ASSERT_TRUE(eventually([this] { return in_step(); }, 90s)) << log();
}

bool SluiceProxy::in_step() {
  const auto answer = kube::daemon::control_call(socket(), {{"verb", "status"}});
  if (!answer || !answer->value("synced", false))
    return false;
  for (const auto &family : (*answer)["families"])
    if (!family.value("inStep", false))
      return false;
  return true;
}

std::string SluiceProxy::ask(const SocketAddress &to, Protocol protocol, unsigned from) {
  return bed_->ask(bed_->pod(from).netns, to, protocol);
}

std::set<std::string> SluiceProxy::who_answers(const SocketAddress &to, Protocol protocol) {
  std::set<std::string> names;
  for (int i = 0; i < 60; ++i) {
    const auto answer = ask(to, protocol);
    names.insert(answer.substr(0, answer.find(' ')));
  }
  return names;
}

std::string SluiceProxy::nft(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "nft");
  const auto out = run_inside(bed_->node(), std::move(arguments));
  EXPECT_TRUE(out) << out.error().what();
  return out ? *out : "";
}

std::string SluiceProxy::log() const {
  std::stringstream text;
  text << std::ifstream(log_file()).rdbuf();
  return text.str();
}

} // namespace sluice::proxy::test
