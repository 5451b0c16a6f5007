#pragma once
// What has become of a pod so far, and what is to be done next. Pure: no process, no clock; the
// worker (podlet/worker.hpp) feeds it with what happened and does what it says.

#include "kube/objects.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace sluice::podlet {

using Time = std::chrono::system_clock::time_point;

/// How one run of a container ended.
struct Termination {
  int exit_code = 0; ///< as a shell counts: 128 + signal
  int signal = 0;
  std::string reason; ///< Completed, Error, ContainerStatusUnknown
  Time started, finished;
  friend bool operator==(const Termination &, const Termination &) = default;
};

struct ContainerState {
  enum class Phase : std::uint8_t { waiting, running, terminated };
  Phase phase = Phase::waiting;
  std::string reason = "ContainerCreating", message; ///< of waiting
  pid_t pid = -1;
  std::uint64_t start_ticks = 0; ///< with pid: which process it is (proc(5) stat, field 22)
  Time started;
  std::optional<Termination> last; ///< the latest end
  unsigned restarts = 0;
  unsigned short_lives = 0; ///< in a row, for the back-off
  Time next_start;          ///< while waiting after an end
  bool ready = false;       ///< the readiness probe says so, or there is none
  friend bool operator==(const ContainerState &, const ContainerState &) = default;
};

/// `init` and `containers` are in the order of the spec.
struct PodState {
  std::vector<ContainerState> init, containers;
  std::vector<IpAddress> ips;
  Time started; ///< when the podlet took it
  friend bool operator==(const PodState &, const PodState &) = default;
};

/// A state with as many containers as the spec has.
PodState initial_state(const kube::Pod &pod, Time now);

struct ContainerRef {
  bool init = false;
  std::size_t index = 0;
  friend bool operator==(const ContainerRef &, const ContainerRef &) = default;
};

/// Which containers to start now, and when to ask again (nothing: only after an event). Init
/// containers run one after the other, to a good end, before the others.
struct Next {
  std::vector<ContainerRef> start;
  std::optional<Time> ask_again;
};
Next next_of(const kube::Pod &pod, const PodState &state, Time now);

void note_started(ContainerState &container, pid_t pid, std::uint64_t start_ticks, Time now,
                  bool has_readiness_probe);
/// The container ended. Decides by `restart_policy` whether it is over or waits to be started
/// again.
void note_ended(ContainerState &container, const std::string &restart_policy, bool is_init,
                int exit_code, int signal, Time now);
/// It could not be started at all: it waits with `reason` and is tried again with back-off.
void note_not_started(ContainerState &container, std::string reason, std::string message, Time now);

/// Nothing, then 10 s doubled up to 300 s, as kubelet waits; `short_lives` counts the ends in a row
/// of runs below 10 minutes.
std::chrono::seconds restart_delay(unsigned short_lives);

/// Pending, Running, Succeeded or Failed.
std::string phase_of(const kube::Pod &pod, const PodState &state);
bool all_ready(const PodState &state);
/// No container will ever run again.
bool is_over(const kube::Pod &pod, const PodState &state);

} // namespace sluice::podlet
