#pragma once
// The real sluice-proxy in a namespace, watched from outside: its CPU, its memory, its commits.

#include "bench/proxy/cluster_api.hpp"
#include "kernel/spawn.hpp"

namespace sluice::bench {

using Clock = std::chrono::steady_clock;

struct Memory {
  double total_mb = 0, anonymous_mb = 0, peak_mb = 0; ///< RssAnon: without the pages of files
};

class ProxyProcess {
public:
  /// Returns when the rules of both families are in the kernel.
  static Result<std::unique_ptr<ProxyProcess>> start(const kernel::NetNs &where,
                                                     const ClusterApi &api);
  ~ProxyProcess();

  Clock::duration ready_after() const noexcept { return ready_after_; }
  /// Of all its threads since it began.
  std::chrono::nanoseconds cpu() const;
  Memory memory() const;

  /// Forgets the commits that were announced.
  void drain_commits();
  /// When the next commit in the namespace was announced; an error after 10 s.
  Result<Clock::time_point> next_commit();

private:
  ProxyProcess(kernel::Child child, UniqueFd monitor)
      : child_(std::move(child)), monitor_(std::move(monitor)) {}
  Result<> wait_until_ready(const std::string &log);
  kernel::Child child_;
  UniqueFd monitor_;
  std::string folder_;
  Clock::duration ready_after_{};
};

} // namespace sluice::bench
