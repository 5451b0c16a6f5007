#pragma once
// The reference plugins' `ptp`, and `sluice` with mode "routed": a veth a pod, no bridge.

#include "cni/direct_plan.hpp"

namespace sluice::cni {

class DirectPlugin final : public Plugin {
public:
  DirectPlugin(std::string_view name, Layout layout) : name_(name), layout_(layout) {}
  std::string_view name() const override { return name_; }
  Outcome<AddResult> add(const Request &request) const override;
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &request) const override;
  Outcome<> gc(const Request &request) const override;

private:
  std::string_view name_;
  Layout layout_;
};

} // namespace sluice::cni
