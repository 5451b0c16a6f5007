#pragma once
// The keys of `bandwidth`, and the token buckets that follow from them. Pure.

#include "cni/protocol/config.hpp"
#include "kernel/rtnl.hpp"

#include <optional>
#include <string>

namespace sluice::cni {

/// A token bucket as the kernel has it (tc-tbf(8)).
struct TokenBucket {
  std::uint64_t rate_bytes = 0;   ///< a second
  std::uint32_t limit_bytes = 0;  ///< of packets that wait: 25 ms at this rate, and the burst
  std::uint32_t buffer_ticks = 0; ///< how long the burst takes at this rate, in 64 ns
  friend bool operator==(const TokenBucket &, const TokenBucket &) = default;
};

/// Packets to which destinations wait.
struct SubnetChoice {
  std::vector<Cidr> subnets;
  bool shaped = true; ///< those to the subnets; false: all others
  friend bool operator==(const SubnetChoice &, const SubnetChoice &) = default;
};

struct BandwidthConfig {
  std::optional<TokenBucket> ingress, egress; ///< as the container sees it
  std::optional<SubnetChoice> choice;         ///< nullopt: all packets wait
  bool empty() const noexcept { return !ingress && !egress; }
};

/// Rates and bursts of the configuration win over runtimeConfig.bandwidth as a whole; subnets of
/// the configuration hold for the runtime's rates too. Errors: 7 a wrong value, or a rate without
/// its burst, or shapedSubnets and unshapedSubnets together.
Outcome<BandwidthConfig> parse_bandwidth_config(const NetworkConfig &config);

/// `rate_bits` at least 8, `burst_bits` less than 8 * (2^32 - 1).
TokenBucket token_bucket(std::uint64_t rate_bits, std::uint64_t burst_bits);
/// Many a kernel keeps no burst longer than 2^32 ns; others do (Linux 6.18 with 274 s).
bool same_in_kernel(const TokenBucket &wanted, const TokenBucket &kernel);

/// The device that a container's outgoing packets are sent through to be slowed down: "bwp" and 12
/// digits of SHA-512(network, container id), as the reference plugin names it.
std::string shaping_device(const std::string &network, const std::string &container_id);

/// The host's end among the previous plugins' interfaces: the one that `peer` is. Code 7 if there
/// is none.
Outcome<Interface> host_end(const AddResult &previous, const kernel::Link &peer);

} // namespace sluice::cni
