#pragma once
// One call of a plugin that may not live to its end.

#include "cni/protocol/environment.hpp"

#include <chrono>
#include <string>

namespace sluice::integration {

struct PluginCall {
  std::string program;
  cni::Variables variables;
  std::string config;
};

struct KilledRun {
  bool killed = false;  ///< false: it ended before
  int exit_status = -1; ///< of one that ended
  std::string output;   ///< what it had printed so far
  std::chrono::microseconds took{};
  int system_calls = 0; ///< counted by run_and_kill_at_call only
};

/// Starts the plugin in the namespace of the calling thread and kills it after `delay` (negative:
/// never), unless it has ended. Many threads may do this at once.
KilledRun run_and_kill_after(const PluginCall &call, std::chrono::microseconds delay);

/// Kills the plugin when it is about to make its `number`-th system call (1 is the first after
/// execve): what it has changed until then stays, and nothing else changes between two calls.
KilledRun run_and_kill_at_call(const PluginCall &call, int number);

} // namespace sluice::integration
