#pragma once
// The IPAM plugin, `sluice-ipam`. The `sluice` plugin calls the same object in its own process.

#include "cni/protocol/plugin.hpp"

namespace sluice::ipam {

class IpamPlugin final : public cni::Plugin {
public:
  /// `name` is what it was called by ("sluice-ipam", "host-local").
  explicit IpamPlugin(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  /// Addresses and routes; no interfaces.
  cni::Outcome<cni::AddResult> add(const cni::Request &request) const override;
  /// Releases all that the attachment holds, whatever the ranges are today.
  cni::Outcome<> del(const cni::Request &request) const override;
  /// 102 if the attachment has no record.
  cni::Outcome<> check(const cni::Request &request) const override;
  /// 50 if the store cannot be written or a range set is full. Makes nothing.
  cni::Outcome<> status(const cni::Request &request) const override;
  /// Releases what belongs to no valid attachment.
  cni::Outcome<> gc(const cni::Request &request) const override;

private:
  std::string_view name_;
};

} // namespace sluice::ipam
