#pragma once
// Directories of the cgroup2 hierarchy: the set of processes that belong together and end together.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace sluice::kernel {

/// Where cgroup2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1. not_found
/// if it is nowhere. `mounts` is another file in tests.
Result<std::string> find_cgroup2(const std::string &mounts = "/proc/self/mounts");

/// One directory of cgroup2. The handle owns a descriptor, not the directory: the destructor
/// removes nothing. Move-only; thread-safe.
class Cgroup {
public:
  /// Makes `path` (absolute, below the mount of `find_cgroup2`) and its parents; one that exists is
  /// taken as it is.
  static Result<Cgroup> create(const std::string &path);
  /// not_found if it does not exist; invalid_input if it is not on cgroup2.
  static Result<Cgroup> open(const std::string &path);

  const std::string &path() const noexcept { return path_; }
  /// For SpawnOptions::cgroup_fd. Open as long as this object lives.
  int fd() const noexcept { return fd_.get(); }

  /// Moves a process with all its threads here. 0 is the calling process.
  Result<> add(pid_t pid) const;
  /// Of this directory and all below it.
  Result<std::vector<pid_t>> pids() const;
  /// SIGKILL to all processes here and below, also to those that are being forked now
  /// (cgroup.kill; on kernels before 5.14 a loop that ends when nobody is left).
  Result<> kill_all() const;
  /// Waits until no process is here or below. Errors: timeout, naming some that are left.
  Result<> wait_empty(std::chrono::milliseconds time) const;
  /// Removes the directories below and this one; they must be empty of processes (busy). No error
  /// if it is gone.
  Result<> remove() const;

private:
  Cgroup(std::string path, UniqueFd fd) noexcept : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

/// kill_all, wait_empty, remove. No error if `path` does not exist.
Result<> destroy_cgroup(const std::string &path, std::chrono::milliseconds time);

} // namespace sluice::kernel
