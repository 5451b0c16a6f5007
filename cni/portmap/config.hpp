#pragma once
// The keys of `portmap` (the reference plugin's): which ports of the node lead to which of the pod.

#include "cni/protocol/config.hpp"
#include "net/port.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

enum class PortmapBackend : std::uint8_t { iptables, nftables };

struct PortMapping {
  Port host, container;
  Protocol protocol = Protocol::tcp;
  std::optional<IpAddress> host_ip; ///< 0.0.0.0 and :: are any address of their family
  friend bool operator==(const PortMapping &, const PortMapping &) = default;
};

struct PortmapConfig {
  std::optional<PortmapBackend> backend; ///< nullopt: iptables if the node has it
  bool snat = true;                      ///< the pod and 127.0.0.1 reach the pod by the node's port
  bool masq_all = false;                 ///< everybody's address is hidden from the pod
  unsigned mark_bit = 13;                ///< 0..31; iptables only
  std::string external_set_mark_chain;   ///< empty: our own; iptables only
  std::vector<std::string> conditions_v4, conditions_v6;
  std::vector<PortMapping> mappings;

  const std::vector<std::string> &conditions(Family family) const noexcept {
    return family == Family::ipv4 ? conditions_v4 : conditions_v6;
  }
};

/// Whose rules they are.
struct PortmapOwner {
  std::string network, container_id;
};

/// Errors: 7 names the key with its value, or two that exclude each other. Conditions in the words
/// of one back end, and keys that only iptables has, decide `backend`, and must not meet the other.
Outcome<PortmapConfig> parse_portmap_config(const NetworkConfig &config);

/// The mappings that hold for an address of this family; empty if none does.
std::vector<PortMapping> mappings_of(const PortmapConfig &config, Family family);
/// The mapping's host IP if it is a certain address, no unspecified one.
std::optional<IpAddress> certain_host_ip(const PortMapping &mapping);

/// The pod's first address of each family: of the interface `ifname` inside a sandbox, or of no
/// interface that the result names.
std::vector<InterfaceAddress> pod_addresses(const AddResult &result, const std::string &ifname);

} // namespace sluice::cni
