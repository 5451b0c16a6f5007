#pragma once
// The nat table of iptables, through iptables-save and iptables-restore: the only programs that are
// ever run. Before that, the kernel is asked by netlink whether there is anything to do.

#include "cni/iptables_text.hpp"
#include "cni/protocol/error.hpp"
#include "net/ip_address.hpp"

#include <functional>

namespace sluice::cni {

/// iptables keeps its rules in nf_tables or, the older way, in tables of its own. `of_the_node` is
/// what the program named plainly "iptables-save" does.
enum class Iptables : std::uint8_t { of_the_node, nft, legacy };

/// The node has iptables-save and iptables-restore.
bool has_iptables();

/// Which kinds of iptables may hold one of these chains of the nat table. Two or three system calls
/// a chain when there are none; for the legacy kind only whether it has a nat table.
std::vector<Iptables> kinds_with_chain(Family family, const std::set<std::string> &chains);

Outcome<NatTable> read_nat(Family family, Iptables kind);

/// Commands for iptables-restore, from what there is; empty: nothing to do.
using NatPlan = std::function<std::vector<std::string>(const NatTable &)>;
/// Reads, plans, applies, in one transaction; again when somebody was faster in between. Only one
/// of our processes does so at a time in a namespace. Code 7 if the programs are missing, 100 with
/// what iptables said.
Outcome<> change_nat(Family family, Iptables kind, const std::string &doing, const NatPlan &plan);

/// Removes the chains and what leads to them, wherever they are. Where iptables is not installed
/// they stay: no later DEL could do more.
Outcome<> remove_nat_chains(const std::set<std::string> &chains, const std::string &doing);

/// "CNI-" and the start of a SHA-512 of network and container, as the reference plugins name
/// theirs: 28 characters with `infix`, which is "", "DN-" or "SN-".
std::string reference_chain(const std::string &infix, const std::string &network,
                            const std::string &container_id);

} // namespace sluice::cni
