#pragma once
// The drop-in `tuning`: sysctls and attributes of a container's interface that another plugin made.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

class TuningPlugin final : public Plugin {
public:
  explicit TuningPlugin(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  /// The previous result, with the MAC and the MTU that were set. What the attributes were is kept
  /// in <dataDir>/<container id>_<interface>.json until DEL.
  Outcome<AddResult> add(const Request &request) const override;
  /// Puts the attributes back if the interface is still there. Never fails.
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &request) const override;
  /// Removes the backups of this network whose attachments are not valid; the reference plugin's,
  /// which do not say to which network they belong, stay until the next boot.
  Outcome<> gc(const Request &request) const override;

private:
  std::string_view name_;
};

} // namespace sluice::cni
