#pragma once
// The data planes that the cases run against, by name.

#include "kernel/iptables.hpp"
#include "kernel/netns.hpp"
#include "proxy/dataplane.hpp"

#include <functional>
#include <optional>

namespace sluice::integration::packets {

struct Plane {
  std::string name;
  /// Makes the data plane of one family, for the packets of `node`, which outlives it.
  std::function<Result<std::unique_ptr<proxy::Dataplane>>(Family, const kernel::NetNs &node)> make;
  /// Names under which the table of cases may speak of it, beside "packets".
  std::vector<std::string> names;
  /// Why this kernel cannot have it; nothing: it can.
  std::function<std::optional<std::string>()> missing = {};
  /// Of the tables that others use beside it.
  kernel::iptables::Flavour flavour() const {
    using kernel::iptables::Flavour;
    return name == "iptables-legacy" ? Flavour::legacy : Flavour::nft;
  }
};

/// Those that this program has; `SLUICE_PLANES` (comma-separated names) chooses among them.
std::vector<Plane> planes();

} // namespace sluice::integration::packets
