#pragma once
// The parts of sluice-node, put together.

#include "node/options.hpp"

namespace sluice::node {

/// Runs until SIGTERM or SIGINT; with --cleanup or --dry-run, to the end of that. Leaves routes,
/// rules and configuration in place when it stops. Acts in the calling thread's namespaces.
Result<> run(const Options &options);

} // namespace sluice::node
