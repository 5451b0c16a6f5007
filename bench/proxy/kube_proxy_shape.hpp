#pragma once
// What we are compared with: a ruleset in the shape of kube-proxy's nftables mode (one chain for
// each service with an anonymous map of its endpoints), changed by running nft(8).

#include "kernel/netns.hpp"

namespace sluice::bench {

class KubeProxyShape {
public:
  /// Loads `services` of `endpoints` each, 500 services for each run of nft.
  static Result<KubeProxyShape> load(kernel::NetNs ns, std::uint32_t services,
                                     std::uint32_t endpoints);
  /// Rewrites one service's chain with one other endpoint, as kube-proxy does (without the listing
  /// that kube-proxy does before it).
  Result<> change_one(std::uint32_t service, std::uint32_t new_endpoint) const;

private:
  KubeProxyShape(kernel::NetNs ns, std::uint32_t endpoints)
      : ns_(std::move(ns)), endpoints_(endpoints) {}
  Result<> run_nft(const std::string &script) const;
  kernel::NetNs ns_;
  std::uint32_t endpoints_;
};

} // namespace sluice::bench
