#include "podlet/pod_status.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace sluice;
using namespace sluice::podlet;
using nlohmann::json;

namespace {

const Time kNow = from_rfc3339("2026-11-21T08:00:00Z");

struct Fixture {
  kube::Pod pod;
  PodState state;
  StatusContext context;
  Fixture() {
    pod.restartPolicy = "Always";
    pod.containers.resize(1);
    pod.containers[0].name = "main";
    state = initial_state(pod, kNow);
    context.node_ips = {*IpAddress::parse("172.18.0.11")};
    context.sandbox_id = "abc";
  }
  json status(Time now = kNow) const { return status_patch(pod, state, context, now)["status"]; }
};

json condition(const json &status, const std::string &type) {
  for (const auto &entry : status["conditions"])
    if (entry["type"] == type)
      return entry;
  return nullptr;
}

} // namespace

TEST(podlet_pod_status, times_are_written_and_read_as_rfc3339) {
  EXPECT_EQ(to_rfc3339(kNow), "2026-11-21T08:00:00Z");
  EXPECT_EQ(from_rfc3339("2026-11-21T08:00:00.123Z"), kNow);
  EXPECT_EQ(from_rfc3339("yesterday"), Time());
}

TEST(podlet_pod_status, a_pod_without_a_sandbox_says_why) {
  Fixture f;
  f.context.sandbox_ready = false;
  f.context.waiting_reason = "ContainerCreating";
  f.context.waiting_message = "no addresses left";
  const auto status = f.status();
  EXPECT_EQ(status["phase"], "Pending");
  EXPECT_FALSE(status.contains("podIP"));
  EXPECT_EQ(status["hostIP"], "172.18.0.11");
  const auto &waiting = status["containerStatuses"][0]["state"]["waiting"];
  EXPECT_EQ(waiting["message"], "no addresses left");
  EXPECT_EQ(condition(status, "Ready")["reason"], "ContainersNotReady");
}

TEST(podlet_pod_status, a_running_pod_is_ready_with_its_addresses) {
  Fixture f;
  f.state.ips = {*IpAddress::parse("10.244.0.5"), *IpAddress::parse("fd00::5")};
  note_started(f.state.containers[0], 7, 1, kNow, false);
  const auto status = f.status();
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(status["podIP"], "10.244.0.5");
  EXPECT_EQ(status["podIPs"][1]["ip"], "fd00::5");
  EXPECT_EQ(condition(status, "Ready")["status"], "True");
  EXPECT_EQ(status["containerStatuses"][0]["containerID"], "sluice://abc-main-0");
  EXPECT_EQ(status["containerStatuses"][0]["state"]["running"]["startedAt"],
            "2026-11-21T08:00:00Z");
}

TEST(podlet_pod_status, the_last_end_stays_visible_while_the_container_waits) {
  Fixture f;
  auto &container = f.state.containers[0];
  for (int i = 0; i < 2; ++i) {
    note_started(container, 7, 1, kNow, false);
    note_ended(container, "Always", false, 137, 9, kNow);
  }
  const auto status = f.status()["containerStatuses"][0];
  EXPECT_EQ(status["state"]["waiting"]["reason"], "CrashLoopBackOff");
  EXPECT_EQ(status["lastState"]["terminated"]["exitCode"], 137);
  EXPECT_EQ(status["lastState"]["terminated"]["signal"], 9);
  EXPECT_EQ(status["restartCount"], 1);
}

TEST(podlet_pod_status, a_condition_keeps_its_time_until_it_turns) {
  Fixture f;
  f.pod.conditions = {{"Ready", "False", "", "", "2026-11-21T07:00:00Z"}};
  const auto later = kNow + std::chrono::minutes(5);
  EXPECT_EQ(condition(f.status(later), "Ready")["lastTransitionTime"], "2026-11-21T07:00:00Z");
  note_started(f.state.containers[0], 7, 1, kNow, false);
  EXPECT_EQ(condition(f.status(later), "Ready")["lastTransitionTime"], "2026-11-21T08:05:00Z");
}

TEST(podlet_pod_status, a_node_is_ready_when_nothing_speaks_against_it) {
  NodeFacts facts;
  facts.name = "node1";
  facts.ips = {*IpAddress::parse("172.18.0.11"), *IpAddress::parse("fd00::11")};
  facts.memory_bytes = 1024 * 1024;
  auto node = node_object(facts, {}, kNow);
  EXPECT_EQ(node["metadata"]["name"], "node1");
  EXPECT_EQ(condition(node["status"], "Ready")["status"], "True");
  EXPECT_EQ(node["status"]["capacity"]["memory"], "1024Ki");
  EXPECT_EQ(node["status"]["addresses"].size(), 3U);
  facts.not_ready = "no CNI configuration";
  node = node_object(facts, {}, kNow);
  EXPECT_EQ(condition(node["status"], "Ready")["status"], "False");
  EXPECT_EQ(condition(node["status"], "Ready")["message"], "no CNI configuration");
}
