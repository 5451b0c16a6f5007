#pragma once
// How long to wait before trying again.

#include <algorithm>
#include <chrono>

namespace sluice::kube {

struct BackoffOptions {
  std::chrono::milliseconds first{800}, longest{30000};
  std::chrono::milliseconds healthy{120000}; ///< without a failure for so long: begin anew
};

/// Doubles from `first` to `longest`; each wait gets up to as much again, so that the clients of a
/// server that was away do not all come back at once. Pure: time and chance are given.
class Backoff {
public:
  using Time = std::chrono::steady_clock::time_point;
  explicit Backoff(BackoffOptions options) : options_(options) {}

  /// The wait after a failure at `now`; `chance` is in [0, 1).
  std::chrono::milliseconds next(Time now, double chance) {
    const bool was_healthy = now - last_failure_ >= options_.healthy;
    wait_ =
        wait_.count() == 0 || was_healthy ? options_.first : std::min(wait_ * 2, options_.longest);
    const auto jitter = static_cast<double>(wait_.count()) * chance;
    const auto total = wait_ + std::chrono::milliseconds(static_cast<std::int64_t>(jitter));
    last_failure_ = now + total;
    return total;
  }

private:
  BackoffOptions options_;
  std::chrono::milliseconds wait_{0};
  Time last_failure_{};
};

} // namespace sluice::kube
