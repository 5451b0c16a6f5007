#pragma once

#include "net/unique_fd.hpp"

#include <atomic>
#include <sys/eventfd.h>

namespace sluice {

/// Ends the waits of other threads, once and for good. Thread-safe.
class StopSignal {
public:
  StopSignal() noexcept : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void set() noexcept {
    set_ = true;
    if (fd_)
      (void)::eventfd_write(fd_.get(), 1);
  }
  bool is_set() const noexcept { return set_; }
  explicit operator bool() const noexcept { return set_; }
  /// Readable from then on. -1 if the process had no descriptor left: look at `is_set` now and
  /// then.
  int fd() const noexcept { return fd_.get(); }

private:
  UniqueFd fd_;
  std::atomic<bool> set_{false};
};

} // namespace sluice
