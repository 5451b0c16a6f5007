#pragma once
// What the "ipam" part of a configuration says, and what the runtime asks for beside it.

#include "cni/protocol/config.hpp"
#include "ipam/ranges.hpp"

#include <string>
#include <vector>

namespace sluice::ipam {

inline constexpr std::string_view kDefaultDataDir = "/var/lib/cni/networks";

struct IpamConfig {
  std::vector<RangeSet> sets; ///< one address is given out of each
  std::vector<cni::PodRoute> routes;
  std::string resolv_conf;          ///< a file to read DNS settings from; empty: none
  std::vector<IpAddress> requested; ///< CNI_ARGS IP, args.cni.ips, runtimeConfig.ips
};

/// Keys of host-local: subnet/rangeStart/rangeEnd/gateway, ranges, routes, resolvConf, and
/// runtimeConfig.ipRanges, which come first. `args` is CNI_ARGS. Errors of code 7 name the key.
cni::Outcome<IpamConfig> parse_ipam_config(const cni::NetworkConfig &config, std::string_view args);

/// The folder of this network's records: ipam.dataDir/<name>. Needs nothing else to be right.
std::string store_folder(const cni::NetworkConfig &config);

/// nameserver, domain, search and options of a resolv.conf(5).
cni::Dns parse_resolv_conf(std::string_view text);

} // namespace sluice::ipam
