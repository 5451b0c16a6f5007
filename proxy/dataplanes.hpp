#pragma once
// The data planes of this program, by the name of their mode.

#include "kernel/nft/monitor.hpp"
#include "proxy/dataplane.hpp"
#include "proxy/iptables/dataplane.hpp"
#include "proxy/nftables/dataplane.hpp"
#include "proxy/options.hpp"

namespace sluice::proxy {

/// What stands in the kernel has a name of its own: "nftables", "iptables-legacy", "iptables-nft",
/// "ipvs".
using Layout = std::string;

/// All that this program can write, whether this host can have it or not.
const std::vector<Layout> &all_layouts();
/// What a --proxy-mode means on this host: "iptables" is the flavour that the host uses. Errors:
/// unsupported, if there is no such data plane or the host lacks its programs or its kernel IPVS.
Result<Layout> layout_of_mode(const std::string &mode);

/// What the families of one layout share. Those who share it are used by one thread.
struct SharedState {
  std::shared_ptr<nftables::CommitCount> nftCommits = std::make_shared<nftables::CommitCount>();
  std::function<void(Family, const iptables::WriteReport &)> iptablesWrote; ///< may be empty
};

/// One family's data plane, acting on the network namespace of the calling thread.
struct OpenedDataplane {
  std::unique_ptr<Dataplane> dataplane;
  /// Says when somebody else touches what is ours; nothing where the kernel does not tell.
  std::optional<kernel::nft::NftMonitor> monitor;
};
/// Errors: unsupported, if this host cannot have it. `options` are for mode ipvs.
Result<OpenedDataplane> open_dataplane(const Layout &layout, Family family,
                                       const SharedState &shared = {},
                                       const IpvsOptions &options = {});
/// The same to remove what an earlier run may have left. Nothing if there cannot be anything, found
/// out without making the kernel load a module.
std::optional<OpenedDataplane> open_leftover(const Layout &layout, Family family);

} // namespace sluice::proxy
