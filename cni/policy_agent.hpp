#pragma once
// Telling the policy agent of pods that come and go (DESIGN: the control socket `netpol.sock`). One
// JSON object a line:
//
//   {"verb":"pod-added","containerID":..,"ifname":..,"netns":..,"namespace":..,"pod":..,"uid":..,
//    "ips":["10.1.0.5"]}                            ->  {"ok":true}, when the pod's rules stand
//   {"verb":"pod-removed", the same without ips}    ->  nobody waits for the answer
//
// A refusal is {"ok":false,"error":{"code":..,"message":..}}.

#include "cni/protocol/plugin.hpp"

#include <chrono>
#include <string>

namespace sluice::cni {

enum class PolicyMode : std::uint8_t {
  none,    ///< nobody is told
  wait,    ///< ADD waits for the agent, and goes on without it
  require, ///< ADD fails without it
};

struct PolicyConfig {
  PolicyMode mode = PolicyMode::none;
  std::string socket = "/run/sluice/netpol.sock"; ///< key policySocket
};

inline constexpr std::chrono::milliseconds kPolicyDeadline{2000};

/// Errors: 7 names `policy` or `policySocket` with its value.
Outcome<PolicyConfig> parse_policy_config(const NetworkConfig &config);

/// The lines, without a newline. Pure. What CNI_ARGS does not say of the pod is "".
std::string pod_added_line(const Request &request, const AddResult &result);
std::string pod_removed_line(const Request &request);

/// Sends `line` and waits for the agent's yes. Every failure is code 11: nobody listens, no answer
/// by the deadline, no answer that reads, a no (with the agent's message).
Outcome<> ask_policy_agent(const std::string &socket, const std::string &line,
                           std::chrono::milliseconds deadline = kPolicyDeadline);

/// Sends `line` if somebody listens, and does not wait.
void tell_policy_agent(const std::string &socket, const std::string &line);

/// STATUS: code 50 if nobody listens.
Outcome<> policy_agent_status(const std::string &socket);

} // namespace sluice::cni
