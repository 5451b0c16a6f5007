#pragma once

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <chrono>
#include <string>

namespace sluice::cluster {

/// An exclusive flock(2) on a folder itself, so that no lock file is left. Held until destruction
/// or the end of the process.
class FolderLock {
public:
  /// Waits at most `patience`. Errors: not_found; busy.
  static Result<FolderLock> take(const std::string &folder,
                                 std::chrono::milliseconds patience = std::chrono::milliseconds(0));
  void release() noexcept { fd_.reset(); }

private:
  explicit FolderLock(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

} // namespace sluice::cluster
