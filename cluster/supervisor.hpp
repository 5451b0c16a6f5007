#pragma once
// Keeps the daemons of one node (or the control plane) running. One process per node, inside the
// node's namespaces and cgroup, so that its children are inside as well; it adopts every orphan of
// the node (PR_SET_CHILD_SUBREAPER) and so is where the node's processes end.
//
// Folder that it is told:
//   supervisor.json   what to run                  log/<daemon>.log   what they say, and restarts
//   <daemon>.pid      of the one that runs now     hold/<daemon>      while it exists, that daemon
//                                                                     is not started again

#include "net/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace sluice::cluster {

struct Daemon {
  std::string name;
  std::vector<std::string> argv;
};

/// supervisor.json as text and back. Errors: invalid_input.
std::string to_json(const std::vector<Daemon> &daemons);
Result<std::vector<Daemon>> parse_daemons(std::string_view json);

/// How long to wait before a daemon is started again: `life` is how long it ran, `failures` how
/// many short lives (below 10 s) came before this end without a long one between. At once after a
/// long life or the first short one, then 0.1 s, doubled up to 5 s. Pure.
std::chrono::milliseconds restart_delay(std::chrono::milliseconds life, unsigned failures);
bool was_short(std::chrono::milliseconds life);

/// Runs until SIGTERM, then stops its children (SIGTERM, SIGKILL after 5 s). A descriptor 0 that is
/// a listening socket is passed on to the daemons (each gets it as descriptor 0).
Result<> supervise(const std::string &folder);

} // namespace sluice::cluster
