#pragma once
// The plugin `sluice`: it connects pods by a bridge or by routes, as the key `mode` says, and tells
// the policy agent of them, as the key `policy` says.

#include "cni/bridge.hpp"

#include <memory>

namespace sluice::cni {

class SluicePlugin final : public Plugin {
public:
  /// `name` is what it was called by; under the reference plugin's, `bridge`, it does the same.
  explicit SluicePlugin(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  Outcome<AddResult> add(const Request &request) const override;
  /// Whatever the mode was, and whatever it is today.
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &request) const override;
  Outcome<> gc(const Request &request) const override;

private:
  BridgePlugin bridge() const;
  /// Code 2 for a mode that there is not.
  Outcome<std::unique_ptr<Plugin>> connector(const NetworkConfig &config) const;
  std::string_view name_;
};

} // namespace sluice::cni
