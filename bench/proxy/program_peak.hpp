#pragma once
// How much memory the programs take that a process runs. Nobody tells it afterwards but to who
// waited for them, so it is looked at while they run.

#include <atomic>
#include <sys/types.h>
#include <thread>

namespace sluice::bench {

/// Looks at the children of a process every 10 ms, until its end.
class ProgramPeak {
public:
  explicit ProgramPeak(pid_t parent);
  ~ProgramPeak();
  ProgramPeak(const ProgramPeak &) = delete;
  ProgramPeak &operator=(const ProgramPeak &) = delete;

  /// The largest peak of a single program (VmHWM).
  double mb() const noexcept { return peak_mb_; }

private:
  void look();
  pid_t parent_;
  std::atomic<bool> stop_{false};
  std::atomic<double> peak_mb_{0};
  std::thread thread_;
};

} // namespace sluice::bench
