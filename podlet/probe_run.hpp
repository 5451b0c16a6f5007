#pragma once
// Asks a container whether it is well.

#include "kernel/spawn.hpp"
#include "podlet/probe.hpp"

namespace sluice::podlet {

/// connect(2) from the calling thread's network namespace. Errors say why it failed.
Result<> probe_tcp(const SocketAddress &to, std::chrono::milliseconds timeout);
/// GET; any status from 200 to 399 is good.
Result<> probe_http(const SocketAddress &to, const std::string &host, const std::string &path,
                    std::chrono::milliseconds timeout);
/// Exit code 0 is good.
Result<> probe_exec(kernel::SpawnOptions options, std::chrono::milliseconds timeout);

} // namespace sluice::podlet
