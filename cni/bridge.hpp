#pragma once
// The `sluice` plugin in bridge mode: a veth a pod, its host end on a bridge.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

class BridgePlugin final : public Plugin {
public:
  /// `name` is what it was called by. Under our own name a bridge that it makes has br_netfilter
  /// on, so that a Service works between two pods of one node.
  BridgePlugin(std::string_view name, bool netfilter) : name_(name), netfilter_(netfilter) {}
  std::string_view name() const override { return name_; }
  Outcome<AddResult> add(const Request &request) const override;
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &request) const override;
  Outcome<> gc(const Request &request) const override;

private:
  std::string_view name_;
  bool netfilter_;
};

} // namespace sluice::cni
