#pragma once
// The VLANs that a bridge's port is in.

#include "kernel/rtnl.hpp"

#include <vector>

namespace sluice::kernel {

struct PortVlan {
  std::uint16_t vlan = 0; ///< 1 to 4094
  bool native = false;    ///< frames that come without a tag belong to it (PVID)
  bool untagged = false;  ///< its frames leave without a tag
  friend auto operator<=>(const PortVlan &, const PortVlan &) = default;
};

/// RTM_GETVLAN (Linux 5.6) in the calling thread's namespace; in the order of the numbers. Empty if
/// the link is no port of a bridge that knows VLANs. EOPNOTSUPP on a kernel without the request.
Result<std::vector<PortVlan>> read_port_vlans(IfIndex port);

} // namespace sluice::kernel
