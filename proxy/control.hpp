#pragma once
// What the control socket answers.

#include "kube/daemon/control_socket.hpp"
#include "proxy/runner.hpp"

namespace sluice::proxy {

/// What of the daemon never changes.
struct DaemonInfo {
  std::string mode, nodeName, version;
};

/// Runs `ask` on the loop's thread and waits for what it returns. unavailable if the loop does not
/// answer within 5 s.
Result<nlohmann::json> on_loop(Inbox &inbox, const Clock &clock,
                               std::function<Result<nlohmann::json>(Runner &)> ask);

/// status | dump | explain (with a flow, see json.hpp). Each is asked of the loop through `inbox`,
/// so it sees what the next packet will see. unavailable if the loop does not answer within 5 s.
kube::daemon::ControlServer::Verbs control_verbs(Inbox &inbox, const Clock &clock, DaemonInfo info);

} // namespace sluice::proxy
