#pragma once
// Listening sockets handed over by whoever started us (sd_listen_fds(3) protocol).

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <string>
#include <vector>

namespace sluice::kube::daemon {

struct ListenFd {
  UniqueFd fd;
  std::string name; ///< from LISTEN_FDNAMES; may be empty
};

/// Takes descriptors 3 .. 3+LISTEN_FDS-1 if LISTEN_PID is ours, marks them close-on-exec, and
/// removes the LISTEN_* variables so that a child does not take them again. Empty if none were
/// handed over. Call once, before other threads start.
Result<std::vector<ListenFd>> take_listen_fds();

} // namespace sluice::kube::daemon
