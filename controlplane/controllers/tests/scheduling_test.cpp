#include "controlplane/controllers/scheduling.hpp"

#include <gtest/gtest.h>

namespace sluice::controlplane {
namespace {

kube::Node node(const std::string &name, std::vector<kube::Taint> taints = {}) {
  kube::Node result;
  result.metadata.name = name;
  result.metadata.labels = {{"kubernetes.io/hostname", name}};
  result.taints = std::move(taints);
  result.conditions = {{"Ready", "True", "", "", ""}};
  return result;
}

TEST(controllers_scheduling, the_emptiest_node_that_can_take_it_gets_the_pod) {
  const auto a = node("a"), b = node("b"), tainted = node("c", {{"k", "v", "NoSchedule"}});
  auto closed = node("d"), sick = node("e");
  closed.unschedulable = true;
  sick.conditions[0].status = "Unknown";
  const std::vector<NodeLoad> nodes = {{&a, 2}, {&b, 1}, {&tainted, 0}, {&closed, 0}, {&sick, 0}};

  kube::Pod pod;
  EXPECT_EQ(*choose_node(pod, nodes), "b");
  pod.nodeSelector = {{"kubernetes.io/hostname", "a"}};
  EXPECT_EQ(*choose_node(pod, nodes), "a");
  pod.nodeSelector.clear();
  pod.tolerations = {{"k", "Equal", "v", "NoSchedule"}};
  EXPECT_EQ(*choose_node(pod, nodes), "c");
  EXPECT_EQ(*choose_node(kube::Pod(), {{&a, 1}, {&b, 1}}), "a") << "ties go to the first";
}

TEST(controllers_scheduling, the_reasons_are_counted) {
  const auto tainted = node("c", {{"k", "v", "NoSchedule"}}),
             other = node("f", {{"k", "v", "NoExecute"}});
  auto closed = node("d");
  closed.unschedulable = true;
  const auto got = choose_node(kube::Pod(), {{&tainted, 0}, {&other, 0}, {&closed, 0}});
  ASSERT_FALSE(got);
  EXPECT_EQ(
      got.error().what(),
      "0/3 nodes are available: 2 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable.");
  EXPECT_EQ(choose_node(kube::Pod(), {}).error().what(), "no nodes available to schedule pods");
}

TEST(controllers_scheduling, tolerations) {
  struct Case {
    const char *name;
    kube::Toleration toleration;
    bool tolerated;
    int line;
  };
  const Case cases[] = {
      {"equal", {"k", "Equal", "v", "NoSchedule"}, true, __LINE__},
      {"no operator means equal", {"k", "", "v", ""}, true, __LINE__},
      {"another value", {"k", "Equal", "w", "NoSchedule"}, false, __LINE__},
      {"exists", {"k", "Exists", "", ""}, true, __LINE__},
      {"everything", {"", "Exists", "", ""}, true, __LINE__},
      {"another effect", {"k", "Exists", "", "NoExecute"}, false, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    kube::Pod pod;
    pod.tolerations = {c.toleration};
    EXPECT_EQ(tolerates(pod, {"k", "v", "NoSchedule"}), c.tolerated);
  }
}

} // namespace
} // namespace sluice::controlplane
