#pragma once
// The nat table as iptables-save prints it, and what iptables-restore reads. Pure.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cni {

struct NatTable {
  std::vector<std::string> chains;
  std::vector<std::string> rules; ///< "-A CHAIN ... -j TARGET"

  bool has_chain(std::string_view name) const;
  bool has_rule(std::string_view rule) const;
};

/// Only the nat table; everything else in the text is passed over.
NatTable parse_nat(std::string_view saved);

std::string chain_of(std::string_view rule);
/// What "-j" or "-g" names; empty if the rule has neither.
std::string target_of(std::string_view rule);
/// The container that the reference plugins' comment ('name: "<network>" id: "<container id>"')
/// names, if it is of this network.
std::optional<std::string> container_in(std::string_view rule, std::string_view network);

/// Commands between "*nat" and "COMMIT"; an empty text for no commands.
std::string restore_text(const std::vector<std::string> &commands);
/// Removes those of the chains that exist, and every rule that leads to one.
std::vector<std::string> removal_of(const NatTable &table, const std::set<std::string> &chains);

} // namespace sluice::cni
