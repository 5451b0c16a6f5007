#pragma once
// The nftables data plane: one table `sluice-proxy` of family ip or ip6, constant rules, and maps
// that hold what changes. docs/design/nftables.md draws a packet's path through it.

#include "kernel/nft/nft.hpp"
#include "proxy/dataplane.hpp"

namespace sluice::proxy::nftables {

/// The commits that this process made in one network namespace. Data planes that share it know
/// each other's from those of strangers. They are used by one thread.
struct CommitCount {
  std::uint32_t made = 0;
};

struct Options {
  std::string table = "sluice-proxy";
  /// Marks the connections that we translate, so that only those are masqueraded on a hairpin and
  /// only those are ever cleaned up. No other bit is touched.
  std::uint32_t ownershipCtMarkBit = 0x0200'0000;
  /// The first load goes to the kernel in commits of about so many elements.
  std::size_t elementsPerCommit = 20'000;
  std::shared_ptr<CommitCount> commits = std::make_shared<CommitCount>();
};

/// `nft` is of the network namespace whose packets are meant. A kernel from 5.10 on.
std::unique_ptr<Dataplane> make_dataplane(Family family, std::unique_ptr<kernel::nft::Nft> nft,
                                          Options options = {});

} // namespace sluice::proxy::nftables
