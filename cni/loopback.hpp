#pragma once
// The reference plugins' `loopback`: the pod's "lo" comes up. No other keys, no state.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

class LoopbackPlugin final : public Plugin {
public:
  explicit LoopbackPlugin(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  /// Answers prevResult if there is one, else "lo" with its first address of each family.
  Outcome<AddResult> add(const Request &request) const override;
  /// Takes "lo" down.
  Outcome<> del(const Request &request) const override;
  /// 102 if "lo" is down.
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &) const override { return {}; }
  Outcome<> gc(const Request &) const override { return {}; }

private:
  std::string_view name_;
};

} // namespace sluice::cni
