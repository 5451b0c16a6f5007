#pragma once
// When a probe is due and what its answers add up to. Pure; podlet/probe_run.hpp asks.

#include "podlet/pod_state.hpp"

namespace sluice::podlet {

/// The run of one probe of one container. Starts without a verdict.
class ProbeSchedule {
public:
  ProbeSchedule(const kube::Probe &probe, Time container_started);

  Time due() const noexcept { return due_; }
  /// Counts an answer that was asked for at `now`.
  void record(bool success, Time now);
  /// Decided by successThreshold and failureThreshold answers in a row; nothing before that.
  std::optional<bool> verdict() const noexcept { return verdict_; }

private:
  std::chrono::seconds period_;
  int success_threshold_, failure_threshold_;
  Time due_;
  int in_a_row_ = 0; ///< answers alike
  bool last_ = false;
  std::optional<bool> verdict_;
};

/// The number of a port that a probe names by its container's `ports`. Errors: invalid_input.
Result<Port> probe_port(const kube::Container &container, const kube::IntOrString &port);

} // namespace sluice::podlet
