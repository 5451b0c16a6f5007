#pragma once
// The iptables data plane: chains SLUICE-* in the tables nat and filter of one family, written by
// iptables-restore. docs/design/iptables.md draws a packet's path through them.

#include "kernel/iptables.hpp"
#include "proxy/dataplane.hpp"

namespace sluice::proxy::iptables {

/// net.ipv4.conf.all.route_localnet: whether packets of 127.0.0.0/8 may leave and enter the node.
struct RouteLocalnet {
  std::function<Result<bool>()> get;
  std::function<Result<>(bool)> set;
};
/// The kernel's, in the network namespace of the thread that calls.
RouteLocalnet route_localnet();

/// Rules of ours in the tables of the kernel, the jumps to them included.
struct RuleCounts {
  std::size_t nat = 0, filter = 0;
};
/// What became of one `start` (`whole`) or `apply`.
struct WriteReport {
  bool whole = false;
  bool failed = false;         ///< iptables-restore refused; that a lock is held is no failure
  RuleCounts written, present; ///< by this one, and in all; unless it failed
};

struct Options {
  /// Marks the connections that we translate: only those are masqueraded on a hairpin, accepted
  /// when forwarding, and ever cleaned up. No other bit is touched.
  std::uint32_t ownershipCtMarkBit = 0x0200'0000;
  /// Marks the connections that mode ipvs serves (ipvs::Options::ownCtBit): nobody translates them,
  /// and while both modes stand they are not for us to refuse.
  std::uint32_t ipvsCtMarkBit = 0x0400'0000;
  /// `start` writes new chains in commits of so many before the one that leads to them; 0: all in
  /// one. The nft flavour's time grows with the square of this, the legacy flavour's with
  /// the number of commits.
  std::size_t chainsPerCommit = 0;
  /// Where it is needed and the guard against strangers stands, it is set; it is taken back before
  /// the guard goes. Nothing: left alone.
  std::optional<RouteLocalnet> routeLocalnet;
  /// Told of each write, on the thread that calls. May be empty.
  std::function<void(const WriteReport &)> wrote;
};

/// What suits a flavour.
inline Options options_for(kernel::iptables::Flavour flavour) {
  return {.chainsPerCommit = flavour == kernel::iptables::Flavour::nft ? 1000U : 0U,
          .routeLocalnet = {},
          .wrote = {}};
}

/// `tool` is of the table's family and of the network namespace whose packets are meant. `start`
/// and `apply` may answer Errc::busy: another program holds the lock of the tables. `start` is then
/// to be called again; what `apply` was given is kept, and is written by the next `apply`, which
/// may be one of an empty delta.
std::unique_ptr<Dataplane>
make_dataplane(Family family, std::unique_ptr<kernel::iptables::Tool> tool, Options options = {});

} // namespace sluice::proxy::iptables
