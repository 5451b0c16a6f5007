#pragma once

#include <chrono>

namespace sluice {

/// Monotonic time as a collaborator, so that a test can hold it still. Thread-safe.
class Clock {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;
  virtual ~Clock() = default;
  virtual time_point now() const noexcept = 0;
};

class SteadyClock final : public Clock {
public:
  time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
};

/// Stands still until told. Not thread-safe.
class FakeClock final : public Clock {
public:
  time_point now() const noexcept override { return now_; }
  void advance(duration by) noexcept { now_ += by; }

private:
  time_point now_{std::chrono::hours(1)};
};

} // namespace sluice
