#pragma once
// What a kube-proxy has left in the kernel, told from what is others' by the names it is known to
// use, and removed without touching a connection: rules decide about new ones alone.

#include "kernel/iptables.hpp"
#include "kernel/nft/nft.hpp"

namespace sluice::proxy::leftovers {

/// Whether kube-proxy makes a chain of this name. KUBE-FIREWALL, KUBE-MARK-DROP and the canaries of
/// kubelet are none of them, nor are the chains of kube-router.
bool is_kube_proxy_chain(std::string_view chain);

/// The text for iptables-restore --noflush that removes kube-proxy's chains and the jumps of the
/// built-in chains to them; empty if there is nothing. `saved` is what iptables-save printed. A
/// chain that somebody else's rule jumps to stays, with all that it needs (portmap may use
/// KUBE-MARK-MASQ). Pure.
std::string plan_iptables(std::string_view saved);

/// In both flavours and families, as far as the programs are there. What was removed, in people's
/// words; errors are of what could not be read or written, and the rest is still done.
struct Removed {
  std::vector<std::string> what;
  std::vector<Error> errors;
};
Removed remove_iptables();

/// The tables "kube-proxy" of nf_tables.
Removed remove_nftables(kernel::nft::Nft &nft);

/// Mode ipvs: `kube-ipvs0` and, if it is there, every virtual service for one of its addresses or
/// one of the machine's. Its connections end: only for --cleanup.
Removed remove_ipvs();
/// Whether there is a `kube-ipvs0`.
bool has_ipvs();
/// What iptables-save prints in every flavour and family that can be read.
std::string saved_iptables();

} // namespace sluice::proxy::leftovers
