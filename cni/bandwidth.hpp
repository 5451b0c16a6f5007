#pragma once
// The drop-in `bandwidth`: a container's traffic slowed down by token buckets. What goes to the
// container waits on the host's end of its veth; what it sends is redirected to an ifb device and
// waits there.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

class BandwidthPlugin final : public Plugin {
public:
  explicit BandwidthPlugin(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  /// Before it a result names no interfaces.
  Version oldest_version() const override { return {0, 3, 0}; }
  /// The previous result, with the ifb device if one was made.
  Outcome<AddResult> add(const Request &request) const override;
  /// The disciplines of the veth go with it; here goes the ifb device.
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &request) const override;
  /// Removes our ifb devices; those of the reference plugin do not say whose they are.
  Outcome<> gc(const Request &request) const override;

private:
  std::string_view name_;
};

} // namespace sluice::cni
