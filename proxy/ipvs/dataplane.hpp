#pragma once
// The IPVS data plane: a frontend is a mark, a mark is a virtual service of IPVS, and no service
// address is an address of the node. docs/design/ipvs.md draws a packet's path.

#include "kernel/ipvs/ipvs.hpp"
#include "kernel/nft/nft.hpp"
#include "net/clock.hpp"
#include "proxy/dataplane.hpp"
#include "proxy/ipvs/environment.hpp"

namespace sluice::proxy::ipvs {

struct Options {
  std::string table = "sluice-proxy-ipvs";
  std::string scheduler = "rr"; ///< any that the kernel has
  /// IP_VS_SVC_F_*; nothing: sh and mh go on to the next endpoint where one drains, mh hashes
  /// ports.
  std::optional<std::uint32_t> schedulerFlags = {};
  kernel::ipvs::Timeouts timeouts = {}; ///< 0: as they are
  /// An endpoint that left keeps its connections at most so long; nothing: until they end.
  std::optional<std::chrono::seconds> tcpDrainLimit = {}, sctpDrainLimit = {};
  /// Bits of the packet mark. What has the first goes to IPVS, and its other bits name the virtual
  /// service: the first packet of a connection loses foreign bits there. Both are put on the later
  /// packets, which keep theirs.
  std::uint32_t divertBit = 0x0800'0000, establishedBit = 0x0400'0000;
  /// Bits of the connection mark: translated by us; to be masqueraded.
  std::uint32_t ownCtBit = 0x0400'0000, masqueradeCtBit = 0x0800'0000;
  /// The first load goes to the kernel in commits of about so many elements.
  std::size_t elementsPerCommit = 20'000;
};

/// Makes and removes a virtual service, so that the kernel loads the scheduler's module. Errors:
/// unsupported, with what to do, if it has none.
Result<> try_scheduler(kernel::ipvs::Ipvs &ipvs, Family family, const Options &options);

/// All three are of the namespace whose packets are meant; `start` and `remove` are called in a
/// thread of it. `clock` outlives the data plane.
std::unique_ptr<Dataplane> make_dataplane(Family family, std::unique_ptr<kernel::nft::Nft> nft,
                                          std::unique_ptr<kernel::ipvs::Ipvs> ipvs,
                                          std::unique_ptr<Environment> environment,
                                          const Clock &clock, Options options = {});

} // namespace sluice::proxy::ipvs
