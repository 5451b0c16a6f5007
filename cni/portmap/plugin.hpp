#pragma once
// The reference plugins' `portmap`: ports of the node lead to ports of the pod. Chained: it makes
// no interface and answers with the result of the plugin before it.

#include "cni/protocol/plugin.hpp"

namespace sluice::cni {

class PortmapPlugin final : public Plugin {
public:
  explicit PortmapPlugin(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  Outcome<AddResult> add(const Request &request) const override;
  /// Works without prevResult, mappings and namespace: rules are found by the container.
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  Outcome<> status(const Request &request) const override;
  Outcome<> gc(const Request &request) const override;

private:
  std::string_view name_;
};

} // namespace sluice::cni
