// Real container runtimes with our plugins. Each runs in a mount, network and PID namespace that
// ends with the test, whatever happens; the scripts beside this file are the pods' life.
#include "integration/shell.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

namespace sluice::integration {
namespace {

/// SLUICE_CHURN_PODS and SLUICE_CHURN_ROUNDS make the churn longer by hand (50 and 10).
std::string number_from(const char *variable, const char *otherwise) {
  const char *value = std::getenv(variable);
  return value ? value : otherwise;
}

bool is_there(const std::string &programs) {
  return shell("for p in " + programs + "; do command -v $p || exit 1; done").ok();
}

Output run(const std::string &runtime) {
  return shell("unshare -mnpf --kill-child --mount-proc bash " +
                   quoted(SLUICE_SOURCE_DIR "/integration/runtimes/" + runtime + ".sh") + " " +
                   quoted(SLUICE_BIN_DIR) + " " + number_from("SLUICE_CHURN_PODS", "10") + " " +
                   number_from("SLUICE_CHURN_ROUNDS", "2"),
               std::chrono::minutes(20));
}

void expect_pods_live_and_leave_nothing(const Output &output) {
  EXPECT_TRUE(output.ok()) << output.text;
  EXPECT_NE(output.text.find("pods talk and are removed"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("rounds left nothing"), std::string::npos) << output.text;
}

TEST(runtimes, containerd_with_runc_by_ctr_run_cni) {
  if (!is_there("containerd ctr runc busybox nft"))
    GTEST_SKIP() << "containerd, runc or busybox is not installed (./dev deps installs them)";
  expect_pods_live_and_leave_nothing(run("containerd"));
}

TEST(runtimes, podman_with_its_cni_back_end_and_the_drop_in_names) {
  if (!is_there("podman runc busybox nft curl"))
    GTEST_SKIP() << "podman, runc or busybox is not installed (./dev deps installs them)";
  const auto output = run("podman");
  expect_pods_live_and_leave_nothing(output);
  EXPECT_NE(output.text.find("ports are published"), std::string::npos) << output.text;
}

} // namespace
} // namespace sluice::integration
