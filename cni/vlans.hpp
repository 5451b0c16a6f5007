#pragma once
// The VLANs of a pod's bridge port. Pure.

#include "cni/protocol/json.hpp"
#include "kernel/port_vlans.hpp"
#include "kernel/rtnl.hpp"

#include <string>
#include <vector>

namespace sluice::cni {

struct Vlans {
  std::uint16_t native = 0;         ///< `vlan`: frames without a tag; 0: not said
  std::vector<std::uint16_t> trunk; ///< `vlanTrunk`: frames with a tag; sorted, each once
  bool preserve_default = false;    ///< the VLAN that the bridge gives to new ports stays
  bool wanted() const noexcept { return native != 0 || !trunk.empty(); }
  friend bool operator==(const Vlans &, const Vlans &) = default;
};

/// Keys `vlan` (0 to 4094), `vlanTrunk` ([{"id"}, {"minID", "maxID"}, ...], 1 to 4094) and
/// `preserveDefaultVlan`. Code 7 names the key and what is wrong with it.
Outcome<Vlans> parse_vlans(const ObjectReader &top);

/// Code 2 if the kernel's bridges do not filter VLANs, 7 if this one was made without.
Outcome<> check_vlan_filtering(const Vlans &vlans, const kernel::Link &bridge);

/// For a port that just joined a bridge with this default VLAN (0: none). Without `vlan`, a trunk's
/// native VLAN is 1.
void plan_port_vlans(const Vlans &vlans, const std::string &port, std::uint16_t default_vlan,
                     kernel::RtnlBatch &batch);

/// Code 102 names the first VLAN that a port (`what`: "host link ...") misses. Others beside are no
/// difference.
Outcome<> check_port_vlans(const Vlans &vlans, const std::string &what,
                           const std::vector<kernel::PortVlan> &actual);

/// What to say to a kernel without CONFIG_BRIDGE_VLAN_FILTERING.
CniError no_vlan_filtering(const Vlans &vlans);

} // namespace sluice::cni
