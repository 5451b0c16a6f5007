#pragma once
// One running container: its process, its cgroup, its probes.

#include "kernel/cgroup.hpp"
#include "kernel/spawn.hpp"
#include "podlet/probe.hpp"
#include "podlet/sandbox.hpp"

namespace sluice::podlet {

/// Field 22 of /proc/<pid>/stat: tells a process from a later one of the same number; 0 if there is
/// no such process. The text form is pure.
std::uint64_t start_ticks_of(pid_t pid);
std::uint64_t parse_start_ticks(const std::string &stat);

struct ContainerSettings {
  std::vector<std::string> argv, environment;
  std::string working_directory = "/", hostname;
  std::string log_path;    ///< stdout and stderr are appended
  std::string cgroup_path; ///< of this container
};

/// Move-only; not thread-safe.
class RunningContainer {
public:
  static Result<RunningContainer> start(const ContainerSettings &settings, const Sandbox &sandbox);
  /// One that an earlier podlet has started. Errors: not_found if the process is gone.
  static Result<RunningContainer> adopt(pid_t pid, std::uint64_t start_ticks,
                                        std::string cgroup_path);

  pid_t pid() const noexcept { return pid_; }
  std::uint64_t start_ticks() const noexcept { return start_ticks_; }
  /// POLLIN when its first process has ended.
  int pidfd() const noexcept { return child_ ? child_->pidfd() : pidfd_.get(); }
  /// How it ended; nothing while it runs. What its first process left behind is killed. The status
  /// of an adopted one is not known (unavailable).
  std::optional<Result<kernel::ExitStatus>> ended();
  void signal(int number) const;
  /// SIGKILL to all of its processes.
  void kill_all() const;

  std::optional<ProbeSchedule> readiness, liveness;
  std::optional<Time> kill_at; ///< SIGTERM was sent

private:
  pid_t pid_ = -1;
  std::uint64_t start_ticks_ = 0;
  std::optional<kernel::Child> child_;
  UniqueFd pidfd_;
  std::string cgroup_path_;
};

} // namespace sluice::podlet
