#pragma once
// The keys of bridge mode.

#include "cni/pod_masquerade.hpp"
#include "cni/protocol/config.hpp"
#include "cni/vlans.hpp"
#include "net/mac_address.hpp"

#include <optional>
#include <string>

namespace sluice::cni {

struct BridgeConfig {
  std::string bridge = "cni0";
  bool is_gateway = false;         ///< the bridge holds the pods' gateway addresses
  bool is_default_gateway = false; ///< and pods get a default route through it; implies is_gateway
  bool force_address = false;      ///< other addresses of the bridge give way
  MasqueradeBy masquerade = MasqueradeBy::nobody; ///< ipMasq, ipMasqBackend
  std::uint32_t mtu_bytes = 0;                    ///< 0: the kernel's default
  bool hairpin = false;
  bool promiscuous = false;
  bool port_isolation = false;
  bool duplicate_address_detection = false; ///< enabledad
  bool disable_container_interface = false; ///< the pod's end stays down
  bool spoof_check = false;                 ///< macspoofchk: the pod sends with its own MAC only
  Vlans vlans;
  std::optional<MacAddress> mac; ///< of the pod's end
};

/// The link that holds the gateway's addresses: the bridge, or "<bridge>.<vlan>" for pods in a
/// VLAN.
std::string gateway_link(const BridgeConfig &config);

/// Errors: 7 names a key with a wrong value, or two that exclude each other; 2 names a key of the
/// reference plugin that is not supported here.
Outcome<BridgeConfig> parse_bridge_config(const NetworkConfig &config, std::string_view args);

/// The MAC of the pod's end that CNI_ARGS, args.cni or runtimeConfig ask for; the last one wins.
Outcome<std::optional<MacAddress>> requested_mac(const NetworkConfig &config,
                                                 std::string_view args);

/// Only the bridge's name, for CHECK and GC.
std::string bridge_name(const NetworkConfig &config);
/// Only macspoofchk, for DEL: false if it does not read.
bool wants_spoof_check(const NetworkConfig &config);

} // namespace sluice::cni
