#include "controlplane/controllers/node_health.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

json taint(const char *key, const char *effect) { return {{"key", key}, {"effect", effect}}; }

TEST(controllers_node_health, taints_follow_the_ready_condition) {
  struct Case {
    const char *name, *ready;
    json before, after;
    int line;
  };
  const auto own = taint("own", "NoSchedule");
  const auto fresh = taint("node.kubernetes.io/not-ready", "NoSchedule");
  const Case cases[] = {
      {"ready: only the owner's stay", "True", {fresh, own}, {own}, __LINE__},
      {"not ready",
       "False",
       {own},
       {own, fresh, taint("node.kubernetes.io/not-ready", "NoExecute")},
       __LINE__},
      {"silent",
       "Unknown",
       json::array(),
       {taint("node.kubernetes.io/unreachable", "NoSchedule"),
        taint("node.kubernetes.io/unreachable", "NoExecute")},
       __LINE__},
      {"nothing said yet", "", {fresh}, {fresh}, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    json node = {{"spec", {{"taints", c.before}}}, {"status", {{"conditions", json::array()}}}};
    if (*c.ready != '\0')
      node["status"]["conditions"].push_back({{"type", "Ready"}, {"status", c.ready}});
    set_health_taints(node);
    EXPECT_EQ(node["spec"]["taints"], c.after);
    const auto once = node;
    set_health_taints(node);
    EXPECT_EQ(node, once);
  }
}

TEST(controllers_node_health, a_cordoned_node_is_tainted_so) {
  json node = {{"spec", {{"unschedulable", true}}},
               {"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
  set_health_taints(node);
  EXPECT_EQ(node["spec"]["taints"],
            json::array({taint("node.kubernetes.io/unschedulable", "NoSchedule")}));
  node["spec"].erase("unschedulable");
  set_health_taints(node);
  EXPECT_FALSE(node["spec"].contains("taints"));
}

TEST(controllers_node_health, a_silent_node_becomes_unknown_and_comes_back) {
  json node = json::parse(
      R"({"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastTransitionTime":"t0"}]}})");
  const auto before = node;
  set_node_heard(node, true, "t1");
  EXPECT_EQ(node, before);
  set_node_heard(node, false, "t1");
  EXPECT_EQ(node["status"]["conditions"][0]["status"], "Unknown");
  EXPECT_EQ(node["status"]["conditions"][0]["lastTransitionTime"], "t1");
  const auto lost = node;
  set_node_heard(node, false, "t2");
  EXPECT_EQ(node, lost);
  set_node_heard(node, true, "t3");
  EXPECT_EQ(node["status"]["conditions"][0]["status"], "True");
}

TEST(controllers_node_health, its_pods_are_not_ready_meanwhile) {
  json pod = json::parse(R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
  set_pod_heard(pod, false, "t1");
  EXPECT_EQ(pod["status"]["conditions"][0]["status"], "False");
  set_pod_heard(pod, true, "t2");
  EXPECT_EQ(pod["status"]["conditions"][0]["status"], "True");
  json sick = json::parse(
      R"({"status":{"conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady"}]}})");
  const auto before = sick;
  set_pod_heard(sick, false, "t1");
  set_pod_heard(sick, true, "t2");
  EXPECT_EQ(sick, before) << "a pod that was not ready does not become so";
}

} // namespace
} // namespace sluice::controlplane
