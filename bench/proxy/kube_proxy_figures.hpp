#pragma once
// kube-proxy 1.36.2 with N services x 10 endpoints, on a machine of this kind; docs/benchmarks.md
// says how it was measured.

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::bench {

struct KubeProxyFigures {
  std::string_view layout;
  std::uint32_t services;
  double ready_s, sync_cpu_s, change_ms, change_cpu_ms, rss_mb;
};

inline constexpr std::array kKubeProxyFigures{
    KubeProxyFigures{"nftables", 100, 0.72, 0.24, 27.6, 26, 60},
    KubeProxyFigures{"nftables", 1000, 0.87, 0.48, 160, 174, 84},
    KubeProxyFigures{"nftables", 10000, 20.7, 19.9, 3963, 3703, 274},
    KubeProxyFigures{"iptables-legacy", 100, 0.63, 0.23, 27, 20, 62},
    KubeProxyFigures{"iptables-legacy", 1000, 0.77, 0.45, 118, 126, 89},
    KubeProxyFigures{"iptables-legacy", 10000, 10.8, 10.5, 1424, 1532, 322},
    KubeProxyFigures{"iptables-nft", 100, 0.75, 0.30, 35, 16, 62},
    KubeProxyFigures{"iptables-nft", 1000, 4.69, 4.33, 109, 95, 89},
    KubeProxyFigures{"iptables-nft", 5000, 387, 298, 645, 526, 191}};

/// Null: it was not measured.
constexpr const KubeProxyFigures *kube_proxy_figures(std::string_view layout,
                                                     std::uint32_t services) {
  for (const auto &figures : kKubeProxyFigures)
    if (figures.layout == layout && figures.services == services)
      return &figures;
  return nullptr;
}

} // namespace sluice::bench
