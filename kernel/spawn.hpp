#pragma once
// Child processes: one call that says everything about the child before it runs, and a handle that
// cannot confuse it with a later process of the same number.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace sluice::kernel {

/// All descriptors are borrowed and need to stay open only during `spawn`.
struct SpawnOptions {
  /// argv[0] is looked up in PATH (of `environment` if it has one, else the parent's) if it holds
  /// no slash. In a mount namespace that is entered, the path found is looked up there.
  std::vector<std::string> argv;
  /// "NAME=value" each; none: the parent's environment.
  std::optional<std::vector<std::string>> environment;
  /// -1: /dev/null. To inherit, say 0, 1 and 2.
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  std::optional<int> netns_fd;
  std::optional<int> mount_ns_fd;
  /// A new UTS namespace with this host name, if not empty.
  std::string hostname;
  /// A directory of cgroup2 that the child enters before it does anything else.
  std::optional<int> cgroup_fd;
  /// Looked up after the mount namespace was entered; empty: the parent's,
  /// or the root of that namespace.
  std::string working_directory;
  /// Sent to the child when the *thread* that called `spawn` ends (prctl(2) PR_SET_PDEATHSIG).
  std::optional<int> parent_death_signal;
  /// setsid(2): the child leads a session and a process group of its own.
  bool new_session = false;
};

/// How a process ended.
struct ExitStatus {
  int code = 0;   ///< of exit(3), if `signal` is 0
  int signal = 0; ///< that ended it, or 0
  bool success() const noexcept { return code == 0 && signal == 0; }
  /// As a shell counts: `code`, or 128 + `signal`.
  int shell_code() const noexcept { return signal != 0 ? 128 + signal : code; }
  /// "exited with 3", "killed by signal 9 (Killed)".
  std::string str() const;
};

/// A process that this process started. Move-only; not thread-safe. The destructor neither ends the
/// process nor waits for it.
class Child {
public:
  pid_t pid() const noexcept { return pid_; }
  /// A pidfd: poll(2) says POLLIN when the process has ended.
  int pidfd() const noexcept { return pidfd_.get(); }

  /// Waits for the end and reaps the process. Errors: timeout; the process goes on then. May be
  /// called again, also after the end.
  Result<ExitStatus> wait_until(std::chrono::steady_clock::time_point deadline);
  Result<ExitStatus> wait_for(std::chrono::milliseconds time) {
    return wait_until(std::chrono::steady_clock::now() + time);
  }
  /// Without a deadline.
  Result<ExitStatus> wait();
  /// No error if the process has ended already.
  Result<> signal(int number) const;
  /// SIGTERM; SIGKILL if it is still there after `grace`; then reaps.
  Result<ExitStatus> stop(std::chrono::milliseconds grace);

private:
  friend Result<Child> spawn(const SpawnOptions &options);
  Child(pid_t pid, UniqueFd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ExitStatus> status_;
};

/// Starts a process. Returns after the child's execve(2) has succeeded; whatever failed before it
/// in the child (entering a namespace, the working directory, the program itself) is the error
/// here, with its errno, and no child is left. Signal mask and dispositions are the defaults in the
/// child; no descriptor but 0, 1 and 2 is inherited. Safe in a program with threads.
Result<Child> spawn(const SpawnOptions &options);

/// Runs a short-lived program to its end. Errors: as `spawn`, or timeout (the program is killed).
struct Output {
  ExitStatus status;
  std::string stdout_text, stderr_text;
};
/// `options.stdin_fd` and so on are replaced by pipes.
Result<Output> run_program(SpawnOptions options, std::string_view stdin_text,
                           std::chrono::milliseconds deadline);

} // namespace sluice::kernel
