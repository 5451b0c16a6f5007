#pragma once
// `flannel`: from its configuration and the file that flanneld writes to the configuration of the
// plugin that does the work. Pure.

#include "cni/protocol/config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

/// /run/flannel/subnet.env.
struct SubnetEnv {
  std::vector<Cidr> networks;     ///< IPv4 first
  std::optional<Cidr> ipv4, ipv6; ///< of this node; at least one
  std::uint32_t mtu_bytes = 0;
  bool masquerades = false; ///< flanneld does it, so that the plugin need not
};

/// Lines NAME=value; others are passed over. Code 7 names a variable that is wrong, or all that are
/// missing.
Outcome<SubnetEnv> parse_subnet_env(std::string_view text);

struct FlannelFiles {
  std::string subnet_file = "/run/flannel/subnet.env";
  std::string data_dir = "/var/lib/cni/flannel";
};
/// A value of a wrong type counts as absent.
FlannelFiles flannel_files(const NetworkConfig &config);

/// The configuration for the delegate: `delegate` with the network's name, `ipam` and what the file
/// says, where the configuration does not say it already. Code 7: `delegate` names what is not its
/// to say.
Outcome<std::string> delegate_config(const NetworkConfig &config, const SubnetEnv &env);

/// `text`, an object, with the member `key` of `from` if there is one.
Outcome<std::string> with_member_of(const NetworkConfig &from, const char *key,
                                    std::string_view text);

} // namespace sluice::cni
