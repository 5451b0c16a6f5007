#pragma once
// What the control socket answers.

#include "kube/daemon/control_socket.hpp"
#include "proxy/question.hpp"
#include "proxy/runner.hpp"

namespace sluice::proxy {

struct DaemonInfo {
  std::string mode, nodeName, version;
  /// What `status` tells beside the loop's own state: an object. Called on the loop's thread. May
  /// be empty.
  std::function<nlohmann::json()> more;
  Lookups lookups; ///< called on the control socket's threads
};

/// Runs `ask` on the loop's thread and waits for what it returns. unavailable if the loop does not
/// answer within 5 s.
Result<nlohmann::json> on_loop(Inbox &inbox, const Clock &clock,
                               std::function<Result<nlohmann::json>(Runner &)> ask);

/// status | dump | explain: with {"from": ..., "to": ...} in people's words (question.hpp), or with
/// a flow in addresses (json.hpp). Each is asked of the loop through `inbox`, so it sees what the
/// next packet will see. unavailable if the loop does not answer within 5 s.
kube::daemon::ControlServer::Verbs control_verbs(Inbox &inbox, const Clock &clock, DaemonInfo info);

} // namespace sluice::proxy
