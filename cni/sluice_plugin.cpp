#include "cni/sluice_plugin.hpp"

#include "cni/direct.hpp"

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
  SLUICE_TAKE(const auto plugin, connector(request.config));
  return plugin->add(request);
}

// A pod may have been connected in the other mode: the bridge's way removes all that either made.
Outcome<> SluicePlugin::del(const Request &request) const { return bridge().del(request); }

Outcome<> SluicePlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto plugin, connector(request.config));
  return plugin->check(request);
}

Outcome<> SluicePlugin::status(const Request &request) const {
  SLUICE_TAKE(const auto plugin, connector(request.config));
  return plugin->status(request);
}

Outcome<> SluicePlugin::gc(const Request &request) const { return bridge().gc(request); }

} // namespace sluice::cni
