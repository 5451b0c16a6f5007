#include "podlet/pod_state.hpp"

#include <algorithm>

namespace sluice::podlet {
namespace {

using Phase = ContainerState::Phase;

constexpr std::chrono::seconds kFirstDelay{10};
constexpr std::chrono::seconds kLongestDelay{300};
constexpr std::chrono::minutes kShortLife{10};

bool ended_well(const ContainerState &container) {
  return container.phase == Phase::terminated && container.last && container.last->exit_code == 0;
}

bool is_to_run_again(const std::string &restart_policy, bool is_init, int exit_code) {
  if (is_init)
    return exit_code != 0 && restart_policy != "Never";
  if (restart_policy == "Never")
    return false;
  return restart_policy != "OnFailure" || exit_code != 0;
}

void consider(const ContainerState &container, ContainerRef ref, Time now, Next &next) {
  if (container.phase != Phase::waiting)
    return;
  if (container.next_start <= now)
    next.start.push_back(ref);
  else
    next.ask_again = std::min(next.ask_again.value_or(container.next_start), container.next_start);
}

bool init_failed(const PodState &state) {
  return std::any_of(state.init.begin(), state.init.end(), [](const ContainerState &container) {
    return container.phase == Phase::terminated && !ended_well(container);
  });
}

bool all_terminated(const PodState &state) {
  return std::all_of(state.containers.begin(), state.containers.end(),
                     [](const auto &c) { return c.phase == Phase::terminated; });
}

} // namespace

PodState initial_state(const kube::Pod &pod, Time now) {
  PodState state;
  state.init.resize(pod.initContainers.size());
  state.containers.resize(pod.containers.size());
  for (auto &container : state.containers)
    container.reason = pod.initContainers.empty() ? "ContainerCreating" : "PodInitializing";
  for (auto &container : state.init)
    container.reason = "PodInitializing";
  state.started = now;
  return state;
}

Next next_of(const kube::Pod &, const PodState &state, Time now) {
  Next next;
  for (std::size_t i = 0; i < state.init.size(); ++i) {
    if (ended_well(state.init[i]))
      continue;
    consider(state.init[i], {true, i}, now, next);
    return next;
  }
  for (std::size_t i = 0; i < state.containers.size(); ++i)
    consider(state.containers[i], {false, i}, now, next);
  return next;
}

void note_started(ContainerState &container, pid_t pid, std::uint64_t start_ticks, Time now,
                  bool has_readiness_probe) {
  if (container.last)
    ++container.restarts;
  container.phase = Phase::running;
  container.reason.clear();
  container.message.clear();
  container.pid = pid;
  container.start_ticks = start_ticks;
  container.started = now;
  container.ready = !has_readiness_probe;
}

void note_ended(ContainerState &container, const std::string &restart_policy, bool is_init,
                int exit_code, int signal, Time now) {
  container.last = Termination{exit_code, signal, exit_code == 0 ? "Completed" : "Error",
                               container.started, now};
  container.short_lives = now - container.started < kShortLife ? container.short_lives + 1 : 0;
  container.pid = -1;
  container.ready = false;
  if (!is_to_run_again(restart_policy, is_init, exit_code)) {
    container.phase = Phase::terminated;
    return;
  }
  const auto delay = restart_delay(container.short_lives);
  container.phase = Phase::waiting;
  container.next_start = now + delay;
  container.reason = delay.count() == 0 ? "ContainerCreating" : "CrashLoopBackOff";
  container.message = delay.count() == 0 ? ""
                                         : "back-off " + std::to_string(delay.count()) +
                                               " s before it is started again";
}

void note_not_started(ContainerState &container, std::string reason, std::string message,
                      Time now) {
  container.phase = Phase::waiting;
  container.reason = std::move(reason);
  container.message = std::move(message);
  container.next_start = now + std::max(kFirstDelay, restart_delay(++container.short_lives));
}

std::chrono::seconds restart_delay(unsigned short_lives) {
  if (short_lives <= 1)
    return std::chrono::seconds(0);
  return std::min(kFirstDelay * (1 << std::min(short_lives - 2, 6U)), kLongestDelay);
}

std::string phase_of(const kube::Pod &, const PodState &state) {
  if (init_failed(state))
    return "Failed";
  if (!std::all_of(state.init.begin(), state.init.end(), ended_well))
    return "Pending";
  if (all_terminated(state))
    return std::all_of(state.containers.begin(), state.containers.end(), ended_well) ? "Succeeded"
                                                                                     : "Failed";
  const bool all_have_run =
      std::all_of(state.containers.begin(), state.containers.end(),
                  [](const auto &c) { return c.phase != Phase::waiting || c.last; });
  return all_have_run ? "Running" : "Pending";
}

bool all_ready(const PodState &state) {
  return std::all_of(state.containers.begin(), state.containers.end(), [](const auto &container) {
    return container.phase == Phase::running && container.ready;
  });
}

bool is_over(const kube::Pod &, const PodState &state) {
  return init_failed(state) || all_terminated(state);
}

} // namespace sluice::podlet
