// The built sluice-controlplane, driven by real kubectl: the one on PATH, and Debian 12's (1.20)
// where `./dev deps` has unpacked it.
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::controlplane {
namespace {

namespace fs = std::filesystem;
using Deadline = std::chrono::steady_clock::time_point;

Deadline in_seconds(int seconds) {
  return std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
}

/// A child process whose standard output and error we read. Killed at the end.
class Child {
public:
  Child(const std::vector<std::string> &command, const std::vector<std::string> &environment) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    std::vector<char *> arguments, variables;
    for (const auto &text : command)
      arguments.push_back(const_cast<char *>(text.c_str()));
    for (const auto &text : environment)
      variables.push_back(const_cast<char *>(text.c_str()));
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    if (::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), variables.data()) !=
        0)
      pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~Child() {
    if (pid_ > 0)
      stop(SIGKILL);
    ::close(output_);
  }
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;

  /// Reads on until `text` has come; false at the end of the output or of time.
  bool wait_for(const std::string &text, Deadline deadline) {
    while (all_.find(text) == std::string::npos)
      if (!read_more(deadline))
        return false;
    return true;
  }
  /// Reads to the end; the exit status, or -1 if it did not end in time.
  int finish(Deadline deadline) {
    while (read_more(deadline)) {
    }
    if (std::chrono::steady_clock::now() >= deadline)
      return -1;
    return reap();
  }
  int stop(int signal) {
    ::kill(pid_, signal);
    return reap();
  }
  const std::string &output() const { return all_; }

private:
  bool read_more(Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waiting{output_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      return false;
    char buffer[4096];
    const auto count = ::read(output_, buffer, sizeof buffer);
    if (count > 0)
      all_.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  }
  int reap() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  pid_t pid_ = -1;
  int output_ = -1;
  std::string all_;
};

std::string on_path(const std::string &name) {
  std::stringstream folders(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + name).c_str(), X_OK) == 0)
      return folder + "/" + name;
  return {};
}

/// Every kubectl that is here: name of the test case, program.
std::vector<std::string> kubectls() {
  std::vector<std::string> found;
  for (const auto &program :
       {on_path("kubectl"), std::string(SLUICE_BIN_DIR "/../kubectl/usr/bin/kubectl")})
    if (!program.empty() && ::access(program.c_str(), X_OK) == 0)
      found.push_back(program);
  return found;
}

struct Outcome {
  int status;
  std::string output;
};

class controlplane_kubectl : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "slc-kubectl-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    fs::create_directory(folder / "home"); // kubectl caches discovery there
    start();
  }
  void TearDown() override {
    server.reset();
    fs::remove_all(folder);
  }

  void start() {
    server = std::make_unique<Child>(
        std::vector<std::string>{SLUICE_BIN_DIR "/sluice-controlplane", "--data-dir", data(),
                                 "--listen", "127.0.0.1:0", "--advertise-address", "192.0.2.1"},
        std::vector<std::string>{"PATH=/usr/bin:/bin"});
    ASSERT_TRUE(server->wait_for("serving the API", in_seconds(20))) << server->output();
  }
  std::string data() const { return folder / "data"; }

  std::vector<std::string> command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), GetParam());
    return arguments;
  }
  std::vector<std::string> environment() const {
    return {"HOME=" + (folder / "home").string(), "KUBECONFIG=" + data() + "/admin.conf",
            "PATH=/usr/bin:/bin"};
  }
  Outcome kubectl(std::vector<std::string> arguments) const {
    Child child(command(std::move(arguments)), environment());
    const int status = child.finish(in_seconds(30));
    return {status, child.output()};
  }
  /// The output of a command that must succeed.
  std::string ok(const std::vector<std::string> &arguments) const {
    const auto run = kubectl(arguments);
    EXPECT_EQ(run.status, 0) << arguments[0] << ": " << run.output;
    return run.output;
  }
  /// The output of a command that must fail.
  std::string refused(const std::vector<std::string> &arguments) const {
    const auto run = kubectl(arguments);
    EXPECT_GT(run.status, 0) << arguments[0] << ": " << run.output;
    return run.output;
  }
  std::string file(const char *name, const char *text) const {
    std::ofstream(folder / name) << text;
    return folder / name;
  }

  fs::path folder;
  std::unique_ptr<Child> server;
};

/// Says what is missing where it is missing.
void expect_all(const std::string &output, std::initializer_list<const char *> parts) {
  for (const char *part : parts)
    EXPECT_NE(output.find(part), std::string::npos) << "no \"" << part << "\" in:\n" << output;
}

constexpr const char *kWeb = R"(
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  schedulerName: nobody
  containers: [{name: c, image: none, command: [sleep, "100"], ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
)";

TEST_P(controlplane_kubectl, applies_shows_changes_and_deletes) {
  const auto manifest = file("web.yaml", kWeb);
  expect_all(ok({"apply", "-f", manifest}),
             {"pod/web created", "service/web created",
              "networkpolicy.networking.k8s.io/deny created", "node/n1 created"});
  expect_all(ok({"apply", "-f", manifest}), {"pod/web unchanged", "service/web unchanged"});
  expect_all(ok({"get", "pods"}), {"NAME", "READY", "STATUS", "web", "0/1", "Pending"});
  expect_all(ok({"get", "pods", "-o", "wide"}), {"NOMINATED NODE", "<none>"});
  expect_all(ok({"get", "svc", "-A"}), {"NAMESPACE", "default", "kubernetes", "web", "80/TCP"});
  expect_all(ok({"get", "all"}), {"pod/web", "service/web"});
  expect_all(ok({"get", "no,netpol"}), {"node/n1", "networkpolicy.networking.k8s.io/deny"});
  expect_all(ok({"get", "pod", "web", "-o", "yaml"}),
             {"kind: Pod", "restartPolicy: Always", "uid: "});
  expect_all(ok({"label", "pod", "web", "tier=front"}), {"pod/web labeled"});
  expect_all(ok({"annotate", "pod", "web", "note=hello"}), {"pod/web annotated"});
  EXPECT_EQ(ok({"get", "pods", "-l", "tier=front", "-o", "name"}), "pod/web\n");
  EXPECT_EQ(ok({"get", "pods", "-l", "tier=back", "-o", "name"}), "");
  expect_all(ok({"describe", "pod", "web"}), {"tier=front", "sleep", "Events:"});
  expect_all(ok({"describe", "svc", "web"}), {"Selector:", "app=web", "8080/TCP"});
  expect_all(ok({"describe", "node", "n1"}), {"Name:", "n1", "Taints:"});
  expect_all(ok({"describe", "netpol", "deny"}), {"app=web"});
  expect_all(ok({"patch", "svc", "web", "-p", R"({"spec":{"sessionAffinity":"ClientIP"}})"}),
             {"service/web patched"});
  expect_all(ok({"delete", "-f", manifest}), {"pod \"web\" deleted", "service \"web\" deleted"});
  expect_all(refused({"get", "pod", "web"}), {"NotFound", "pods \"web\" not found"});
}

TEST_P(controlplane_kubectl, creates_by_command) {
  expect_all(ok({"create", "ns", "team"}), {"namespace/team created"});
  expect_all(ok({"create", "cm", "conf", "-n", "team", "--from-literal=color=blue"}),
             {"configmap/conf created"});
  expect_all(ok({"create", "sa", "robot", "-n", "team"}), {"serviceaccount/robot created"});
  EXPECT_EQ(ok({"get", "cm", "conf", "-n", "team", "-o", "jsonpath={.data.color}"}), "blue");
  expect_all(ok({"get", "sa", "-n", "team"}), {"robot"});
  expect_all(ok({"describe", "ns", "team"}), {"team", "Active"});
  EXPECT_EQ(ok({"auth", "can-i", "create", "pods"}), "yes\n");
}

TEST_P(controlplane_kubectl, bad_manifests_are_explained) {
  const auto bad_port = file("port.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {ports: [{port: 80000}]}
)");
  expect_all(refused({"apply", "-f", bad_port}),
             {"The Service \"s\" is invalid", "spec.ports[0].port", "80000",
              "must be between 1 and 65535"});
  const auto bad_name = file("name.yaml", R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: Not_Good}
)");
  expect_all(refused({"create", "-f", bad_name}),
             {"The ConfigMap \"Not_Good\" is invalid", "metadata.name", "RFC 1123"});
  const auto bad_cidr = file("policy.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec:
  podSelector: {}
  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]
)");
  expect_all(refused({"apply", "-f", bad_cidr}),
             {"spec.ingress[0].from[0].ipBlock.cidr", "10.0.0.0/33"});
  const auto unknown_kind =
      file("kind.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n");
  expect_all(refused({"apply", "-f", unknown_kind}), {"no matches for kind \"Deployment\""});
  EXPECT_EQ(ok({"get", "cm,svc,netpol", "-o", "name"}).find("service/s\n"), std::string::npos);
}

TEST_P(controlplane_kubectl, unknown_fields_are_refused_by_those_who_ask_for_it) {
  const auto bogus = file("bogus.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {ports: [{port: 80}], bogus: 1}
)");
  const auto run = kubectl({"apply", "-f", bogus});
  if (ok({"version", "--client"}).find("v1.20") != std::string::npos)
    expect_all(run.output, {"service/s created"}); // validates by a schema, which we do not serve
  else
    expect_all(run.output, {"strict decoding error", "unknown field \"spec.bogus\""});
}

TEST_P(controlplane_kubectl, a_watch_shows_changes_as_rows) {
  ok({"create", "-f",
      file("cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n")});
  Child watch(command({"get", "cm", "-w"}), environment());
  ASSERT_TRUE(watch.wait_for("first", in_seconds(20))) << watch.output();
  ok({"create", "-f",
      file("cm2.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\n")});
  EXPECT_TRUE(watch.wait_for("second", in_seconds(20))) << watch.output();
  EXPECT_EQ(server->stop(SIGTERM), 0) << "a graceful end although a watch is open";
  EXPECT_NE(watch.finish(in_seconds(20)), -1) << "the watch ends with the server";
}

TEST_P(controlplane_kubectl, kill_9_and_restart_lose_nothing) {
  ok({"create", "-f",
      file("cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\n")});
  const auto before = ok({"get", "cm", "kept", "-o", "yaml"});
  server->stop(SIGKILL);
  expect_all(refused({"get", "cm"}), {"refused"});
  start();
  EXPECT_EQ(ok({"get", "cm", "kept", "-o", "yaml"}), before);
}

TEST_P(controlplane_kubectl, a_kubeconfig_for_another_user_has_that_users_rights) {
  Child make({SLUICE_BIN_DIR "/sluice-controlplane", "kubeconfig", "--data-dir", data(), "--user",
              "system:node:n1", "--group", "system:nodes", "--server",
              ok({"config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"})},
             {});
  ASSERT_EQ(make.finish(in_seconds(10)), 0) << make.output();
  const auto config = file("node.conf", make.output().c_str());
  expect_all(ok({"--kubeconfig", config, "get", "svc"}), {"kubernetes"});
  expect_all(refused({"--kubeconfig", config, "delete", "svc", "kubernetes"}),
             {"Forbidden", "User \"system:node:n1\" cannot delete resource \"services\""});
}

std::string case_name(const testing::TestParamInfo<std::string> &info) {
  return info.param.find("/../kubectl/") == std::string::npos ? "path" : "debian";
}

INSTANTIATE_TEST_SUITE_P(real, controlplane_kubectl, testing::ValuesIn(kubectls()), case_name);

TEST(controlplane_kubectl_here, there_is_a_kubectl_to_test_with) {
  EXPECT_FALSE(kubectls().empty()) << "run ./dev deps";
}

} // namespace
} // namespace sluice::controlplane
