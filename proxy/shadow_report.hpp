#pragma once
// What a node notices when Sluice takes over from a kube-proxy in mode iptables: for --dry-run.

#include "proxy/options.hpp"

#include <span>

namespace sluice::proxy {

struct Surroundings {
  bool forwardDrops = false;   ///< the host's FORWARD policy is DROP
  bool kubeProxyRules = false; ///< a kube-proxy has left rules, or is running
  bool ipvs = false;           ///< and there is its kube-ipvs0
};

/// One sentence for each thing that will be different. Pure.
std::vector<std::string> what_changes(const ProxyOptions &options, std::span<const Table> tables,
                                      const Surroundings &surroundings);

} // namespace sluice::proxy
