#include "cni/sluice_plugin.hpp"

#include "cni/direct.hpp"
#include "cni/policy_agent.hpp"
#include "cni/protocol/exec.hpp"

#include <unistd.h>

namespace sluice::cni {

BridgePlugin SluicePlugin::bridge() const { return {name_, name_ == "sluice"}; }

Outcome<std::unique_ptr<Plugin>> SluicePlugin::connector(const NetworkConfig &config) const {
  std::string mode = "bridge";
  SLUICE_PASS(top_of(config).read("mode", mode));
  if (mode == "bridge")
    return std::make_unique<BridgePlugin>(bridge());
  if (mode == "routed")
    return std::make_unique<DirectPlugin>(name_, Layout::routed);
  return fail(Code::unsupported_field, "mode is \"" + mode + "\", which is not supported",
              "supported are \"bridge\" and \"routed\"");
}

Outcome<AddResult> SluicePlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto policy, parse_policy_config(request.config));
  SLUICE_TAKE(const auto plugin, connector(request.config));
  SLUICE_TAKE(auto result, plugin->add(request));
  if (policy.mode == PolicyMode::none)
    return result;
  auto done = ask_policy_agent(policy.socket, pod_added_line(request, result));
  if (done)
    return result;
  if (policy.mode == PolicyMode::require) {
    (void)del(request);
    return fail(std::move(done.error()).in("policy is \"require\""));
  }
  (void)write_all(STDERR_FILENO,
                  "sluice: container " + request.environment.attachment.container_id +
                      " goes on without its policies: " + done.error().message() + "\n");
  return result;
}

// A pod may have been connected in the other mode: the bridge's way removes all that either made.
Outcome<> SluicePlugin::del(const Request &request) const {
  SLUICE_PASS(bridge().del(request));
  if (const auto policy = parse_policy_config(request.config);
      policy && policy->mode != PolicyMode::none)
    tell_policy_agent(policy->socket, pod_removed_line(request));
  return {};
}

Outcome<> SluicePlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto plugin, connector(request.config));
  return plugin->check(request);
}

Outcome<> SluicePlugin::status(const Request &request) const {
  SLUICE_TAKE(const auto policy, parse_policy_config(request.config));
  if (policy.mode == PolicyMode::require)
    SLUICE_PASS(policy_agent_status(policy.socket));
  SLUICE_TAKE(const auto plugin, connector(request.config));
  return plugin->status(request);
}

Outcome<> SluicePlugin::gc(const Request &request) const { return bridge().gc(request); }

} // namespace sluice::cni
