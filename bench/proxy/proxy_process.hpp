#pragma once
// The real sluice-proxy in a namespace, watched from outside: its CPU, its memory, its commits.

#include "bench/proxy/cluster_api.hpp"
#include "bench/proxy/program_peak.hpp"
#include "kernel/spawn.hpp"

namespace sluice::bench {

using Clock = std::chrono::steady_clock;

struct Memory {
  double total_mb = 0, anonymous_mb = 0, peak_mb = 0; ///< RssAnon: without the pages of files
};

/// How a commit is seen: nf_tables announces its own, at once; every mode logs them (--v=4).
enum class CommitsBy : std::uint8_t { nf_tables, log };

struct ProxyOptions {
  std::string layout = "nftables"; ///< or "iptables-legacy", "iptables-nft", "ipvs"
  CommitsBy commits = CommitsBy::nf_tables;
};

class ProxyProcess {
public:
  /// Returns when the rules of both families are in the kernel.
  static Result<std::unique_ptr<ProxyProcess>>
  start(const kernel::NetNs &where, const ClusterApi &api, const ProxyOptions &options = {});
  ~ProxyProcess();

  Clock::duration ready_after() const noexcept { return ready_after_; }
  /// Of all its threads since it began, and of the programs that it ran (those in steps of 10 ms).
  std::chrono::nanoseconds cpu() const;
  Memory memory() const;
  /// The most that one of the programs that it ran was seen to have; 0 if it ran none.
  double program_peak_mb() const { return programs_->mb(); }

  /// Forgets the commits that were announced.
  void drain_commits();
  /// When the next commit in the namespace was announced; an error after 60 s.
  Result<Clock::time_point> next_commit();

private:
  ProxyProcess(kernel::Child child, std::string folder)
      : child_(std::move(child)), folder_(std::move(folder)), log_(folder_ + "/log"),
        programs_(std::make_unique<ProgramPeak>(child_.pid())) {}
  Result<> wait_until_ready();
  /// Whether there was one since the last call.
  bool take_commits();
  bool logged_a_commit();
  kernel::Child child_;
  UniqueFd commits_; ///< readable when something was announced
  std::string folder_, log_;
  bool by_log_ = false;
  std::streamoff log_read_ = 0; ///< how much of it was looked at
  std::unique_ptr<ProgramPeak> programs_;
  Clock::duration ready_after_{};
};

} // namespace sluice::bench
