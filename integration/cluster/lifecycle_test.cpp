// Clusters come and go: what they leave (nothing), what a person may do wrong, and what dies.

#include "integration/shell.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::integration {
namespace {

/// With the programs of the build on PATH.
Output sh(const std::string &command, int seconds = 60) {
  return shell("PATH=" SLUICE_BIN_DIR ":$PATH; " + command, std::chrono::seconds(seconds));
}

/// Repeats `command` until it succeeds.
testing::AssertionResult comes_true(const std::string &command, int seconds = 60) {
  Output last;
  if (eventually(std::chrono::seconds(seconds), [&] { return (last = sh(command)).ok(); }))
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << "never came true: " << command << "\n" << last.text;
}

/// What a cluster could leave behind on the machine. Other tests may run beside this one, so it
/// asks only for what could be ours: links and rules of the machine, and everything with the name.
std::string machine_without(const std::string &name) {
  return sh("ip -o link | cut -d' ' -f2; ip route; ip -6 route; nft list ruleset; "
            "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding; "
            "ls -R /etc/cni /opt/cni /var/lib/cni /var/lib/sluice; "
            "ls /run/netns | grep -F " +
            name + "; ls /run/sluice/clusters | grep -Fx " + name + "; grep -F " + name +
            " /proc/self/mountinfo; find /sys/fs/cgroup -maxdepth 3 -name " + name +
            "; pgrep -f '[/]clusters/" + name + "/'; ls -d /sys/fs/bpf/sluice*; true")
      .text;
}

class cluster_lifecycle : public testing::Test {
protected:
  void TearDown() override {
    for (const auto &name : {name_, other_}) {
      const auto gone = sh("sluicectl cluster delete " + name, 120);
      EXPECT_EQ(gone.status, 0) << gone.text;
    }
    EXPECT_EQ(machine_without(name_), before_);
  }

  Output create(const std::string &name, const std::string &flags = "--nodes 1") {
    return sh("sluicectl cluster create " + name + " " + flags, 120);
  }
  static std::string kubectl(const std::string &arguments, const std::string &name) {
    return "KUBECONFIG=/run/sluice/clusters/" + name + "/kubeconfig " + quoted(kubectl_program()) +
           " " + arguments;
  }
  std::string kubectl(const std::string &arguments) const { return kubectl(arguments, name_); }
  std::string in_pod(const std::string &pod, const std::string &command) const {
    return "sluicectl cluster exec " + name_ + " pod/" + pod + " -- " + command;
  }
  std::string run_folder(const std::string &node) const {
    return "/run/sluice/clusters/" + name_ + "/nodes/" + node + "/run/sluice";
  }
  void apply(const std::string &manifest) {
    const auto applied = sh("cat <<'YAML' | " + kubectl("apply -f -") + "\n" + manifest + "\nYAML");
    ASSERT_EQ(applied.status, 0) << applied.text;
  }

  std::string name_ = "it" + std::to_string(::getpid());
  std::string other_ = name_ + "-node1"; ///< the most confusing name there could be
  std::string before_ = machine_without(name_);
};

std::string pod(const std::string &name, const std::string &command, const std::string &more = "") {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
         "}\nspec:\n  terminationGracePeriodSeconds: 0\n" + more +
         "  containers:\n  - {name: main, image: none, command: " + command + "}\n";
}

TEST_F(cluster_lifecycle, two_live_side_by_side_and_leave_nothing) {
  const auto first = create(name_);
  ASSERT_EQ(first.status, 0) << first.text;
  const auto second = create(other_);
  ASSERT_EQ(second.status, 0) << second.text;
  for (const auto &name : {name_, other_}) {
    const auto nodes = sh(kubectl("get nodes", name));
    EXPECT_NE(nodes.text.find("node1"), std::string::npos) << nodes.text;
    EXPECT_NE(sh("sluicectl cluster list").text.find(name), std::string::npos);
  }
  const auto again = create(name_);
  EXPECT_NE(again.status, 0);
  EXPECT_NE(again.text.find("exists"), std::string::npos) << again.text;
  EXPECT_EQ(sh("sluicectl cluster delete " + other_).status, 0);
  EXPECT_EQ(sh(kubectl("get nodes")).status, 0) << "the other one and the refused one did no harm";
  EXPECT_NE(sh("sluicectl cluster list").text.find("running"), std::string::npos);
}

TEST_F(cluster_lifecycle, a_creation_that_fails_undoes_everything) {
  const auto failed = create(name_, "--nodes 2 --timeout 0");
  EXPECT_NE(failed.status, 0) << failed.text;
  EXPECT_EQ(machine_without(name_), before_);
  const auto unknown = sh("sluicectl cluster exec " + name_ + " node1 -- true");
  EXPECT_NE(unknown.text.find("there is no cluster"), std::string::npos) << unknown.text;
}

TEST_F(cluster_lifecycle, one_that_is_half_dead_is_listed_so_and_can_be_removed) {
  const auto made = create(name_);
  ASSERT_EQ(made.status, 0) << made.text;
  const auto killed = sh("for p in $(find /sys/fs/cgroup -path '*sluice-clusters/" + name_ +
                         "/node1/*' -name cgroup.procs -exec cat {} +); do kill -9 $p; done");
  EXPECT_TRUE(comes_true("sluicectl cluster list | grep -q 'node1 is not running'", 20))
      << killed.text;
  EXPECT_EQ(sh("sluicectl cluster delete " + name_).status, 0);
  EXPECT_EQ(machine_without(name_), before_);
}

TEST_F(cluster_lifecycle, a_killed_daemon_comes_back_unless_it_is_held) {
  ASSERT_EQ(create(name_).status, 0);
  const auto pid_file = run_folder("node1") + "/sluice-proxy.pid";
  const auto first = sh("cat " + pid_file).text;
  EXPECT_EQ(sh("kill -9 $(cat " + pid_file + ")").status, 0);
  EXPECT_TRUE(comes_true("test -s " + pid_file + " && test \"$(cat " + pid_file +
                             ")\" != " + first.substr(0, first.find('\n')),
                         10));
  EXPECT_EQ(
      sh("touch " + run_folder("node1") + "/hold/sluice-proxy; kill -9 $(cat " + pid_file + ")")
          .status,
      0);
  EXPECT_TRUE(comes_true(
      "grep -q 'when the hold is lifted' " + run_folder("node1") + "/log/sluice-proxy.log", 10));
  EXPECT_NE(sh("test -e " + pid_file).status, 0);
  EXPECT_EQ(sh("rm " + run_folder("node1") + "/hold/sluice-proxy").status, 0);
  EXPECT_TRUE(comes_true("test -s " + pid_file, 10));
}

TEST_F(cluster_lifecycle, what_goes_wrong_with_a_pod_is_told) {
  ASSERT_EQ(create(name_).status, 0);
  apply(pod("no-command", "[]") + "---\n" + pod("no-program", "[/no/such/program]") + "---\n" +
        pod("crash", "[sh, -c, exit 3]") + "---\n" +
        pod("done", "['true']", "  restartPolicy: Never\n"));
  const auto waits = [&](const std::string &name, const std::string &text) {
    return comes_true(kubectl("get pod " + name + " -o yaml | grep -q '" + text + "'"));
  };
  EXPECT_TRUE(waits("no-command", "has no command"));
  EXPECT_TRUE(waits("no-program", "RunContainerError"));
  EXPECT_TRUE(waits("crash", "CrashLoopBackOff"));
  EXPECT_TRUE(waits("crash", "exitCode: 3"));
  EXPECT_TRUE(waits("done", "phase: Succeeded"));
  EXPECT_EQ(sh(kubectl("delete pod --all"), 60).status, 0);
}

TEST_F(cluster_lifecycle, pods_outlive_the_podlet_and_the_api_server) {
  ASSERT_EQ(create(name_).status, 0);
  apply(pod("a", "[sleep, infinity]"));
  ASSERT_TRUE(comes_true(kubectl("get pod a -o jsonpath='{.status.phase}' | grep -q Running")));
  const auto start = sh(kubectl("get pod a -o jsonpath='{.status.containerStatuses[0]}'")).text;
  EXPECT_EQ(sh("kill -9 $(cat " + run_folder("node1") + "/sluice-podlet.pid)").status, 0);
  const auto api = "/run/sluice/clusters/" + name_ + "/controlplane/sluice-controlplane.pid";
  EXPECT_EQ(sh("kill -9 $(cat " + api + ")").status, 0);
  EXPECT_TRUE(comes_true(kubectl("get pod a")));
  EXPECT_TRUE(
      comes_true("grep -q 'found a pod' " + run_folder("node1") + "/log/sluice-podlet.log"));
  EXPECT_EQ(sh(kubectl("get pod a -o jsonpath='{.status.containerStatuses[0]}'")).text, start)
      << "the same container, not restarted";
  EXPECT_EQ(sh(kubectl("delete pod a"), 60).status, 0);
  EXPECT_TRUE(comes_true("test -z \"$(ls " + run_folder("node1") + "/pods)\""));
}

} // namespace
} // namespace sluice::integration
