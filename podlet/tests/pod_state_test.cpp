#include "podlet/pod_state.hpp"

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::podlet;
using std::chrono::seconds;
using Phase = ContainerState::Phase;

namespace {

const Time kStart = Time(std::chrono::hours(500000));

kube::Pod pod_with(std::size_t init, std::size_t containers, const char *policy = "Always") {
  kube::Pod pod;
  pod.restartPolicy = policy;
  pod.initContainers.resize(init);
  pod.containers.resize(containers);
  return pod;
}

void run(ContainerState &container, Time at) { note_started(container, 7, 1, at, false); }

} // namespace

TEST(podlet_pod_state, containers_start_together_after_the_init_containers_one_by_one) {
  const auto pod = pod_with(2, 2);
  auto state = initial_state(pod, kStart);
  const auto expect_next = [&](std::vector<ContainerRef> refs, const char *what) {
    EXPECT_EQ(next_of(pod, state, kStart).start, refs) << what;
  };
  expect_next({{true, 0}}, "the first init container");
  run(state.init[0], kStart);
  expect_next({}, "it runs");
  note_ended(state.init[0], "Always", true, 0, 0, kStart);
  expect_next({{true, 1}}, "then the second");
  run(state.init[1], kStart);
  note_ended(state.init[1], "Always", true, 0, 0, kStart);
  expect_next({{false, 0}, {false, 1}}, "then all others");
  EXPECT_EQ(phase_of(pod, state), "Pending");
  run(state.containers[0], kStart);
  EXPECT_EQ(phase_of(pod, state), "Pending") << "one has never run";
  run(state.containers[1], kStart);
  EXPECT_EQ(phase_of(pod, state), "Running");
  EXPECT_TRUE(all_ready(state));
}

TEST(podlet_pod_state, what_becomes_of_a_container_that_ended) {
  struct Case {
    const char *name, *policy;
    bool init;
    int code;
    Phase phase;
    int line;
  };
  const Case cases[] = {
      {"Always runs it again after success", "Always", false, 0, Phase::waiting, __LINE__},
      {"Always runs it again after failure", "Always", false, 1, Phase::waiting, __LINE__},
      {"OnFailure is content with success", "OnFailure", false, 0, Phase::terminated, __LINE__},
      {"OnFailure runs it again after failure", "OnFailure", false, 1, Phase::waiting, __LINE__},
      {"Never is Never", "Never", false, 1, Phase::terminated, __LINE__},
      {"an init container that succeeded is done", "Always", true, 0, Phase::terminated, __LINE__},
      {"one that failed runs again", "Always", true, 1, Phase::waiting, __LINE__},
      {"except with Never", "Never", true, 1, Phase::terminated, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    ContainerState container;
    run(container, kStart);
    note_ended(container, c.policy, c.init, c.code, 0, kStart + seconds(1));
    EXPECT_EQ(container.phase, c.phase);
    EXPECT_EQ(container.last->exit_code, c.code);
  }
}

TEST(podlet_pod_state, a_pod_that_is_over_has_succeeded_or_failed) {
  const auto pod = pod_with(0, 2, "Never");
  auto state = initial_state(pod, kStart);
  for (auto &container : state.containers)
    run(container, kStart);
  note_ended(state.containers[0], "Never", false, 0, 0, kStart);
  EXPECT_EQ(phase_of(pod, state), "Running");
  EXPECT_FALSE(is_over(pod, state));
  auto other = state;
  note_ended(state.containers[1], "Never", false, 0, 0, kStart);
  EXPECT_EQ(phase_of(pod, state), "Succeeded");
  EXPECT_TRUE(is_over(pod, state));
  note_ended(other.containers[1], "Never", false, 137, 9, kStart);
  EXPECT_EQ(phase_of(pod, other), "Failed");
}

TEST(podlet_pod_state, the_back_off_doubles_from_10_s_to_5_minutes_and_forgets_after_a_long_run) {
  const int expected[] = {0, 0, 10, 20, 40, 80, 160, 300, 300};
  for (unsigned lives = 0; lives < std::size(expected); ++lives)
    EXPECT_EQ(restart_delay(lives), seconds(expected[lives])) << lives << " short lives";
  EXPECT_EQ(restart_delay(1000000), seconds(300));

  ContainerState container;
  run(container, kStart);
  note_ended(container, "Always", false, 1, 0, kStart + seconds(1));
  EXPECT_EQ(container.next_start, kStart + seconds(1)) << "the first time at once";
  EXPECT_EQ(container.reason, "ContainerCreating");
  run(container, kStart + seconds(1));
  EXPECT_EQ(container.restarts, 1U);
  note_ended(container, "Always", false, 1, 0, kStart + seconds(2));
  EXPECT_EQ(container.next_start, kStart + seconds(12));
  EXPECT_EQ(container.reason, "CrashLoopBackOff");
  const auto pod = pod_with(0, 1);
  PodState state;
  state.containers = {container};
  EXPECT_TRUE(next_of(pod, state, kStart + seconds(11)).start.empty());
  EXPECT_EQ(next_of(pod, state, kStart + seconds(11)).ask_again, kStart + seconds(12));
  EXPECT_EQ(next_of(pod, state, kStart + seconds(12)).start.size(), 1U);
  run(container, kStart + seconds(12));
  note_ended(container, "Always", false, 1, 0, kStart + seconds(12) + std::chrono::minutes(11));
  EXPECT_EQ(container.reason, "ContainerCreating") << "a long run starts anew";
}

TEST(podlet_pod_state, a_container_that_cannot_start_says_why_and_waits) {
  ContainerState container;
  note_not_started(container, "RunContainerError", "no such program", kStart);
  EXPECT_EQ(container.phase, Phase::waiting);
  EXPECT_EQ(container.message, "no such program");
  EXPECT_EQ(container.next_start, kStart + seconds(10));
  EXPECT_EQ(container.restarts, 0U);
}

TEST(podlet_pod_state, a_readiness_probe_must_speak_first) {
  ContainerState container;
  note_started(container, 7, 1, kStart, true);
  EXPECT_FALSE(container.ready);
}
