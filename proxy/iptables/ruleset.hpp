#pragma once
// The chains that realise a table, and which of them a change touches. Pure: a rule is the text
// that iptables-save prints for it (without "-A <chain> "), so that what is read back compares
// equal.

#include "proxy/iptables/dataplane.hpp"
#include "proxy/iptables/dispatch_tree.hpp"

namespace sluice::proxy::iptables {

/// Everything of ours begins so.
inline constexpr std::string_view kPrefix = "SLUICE-";

using Rules = std::vector<std::string>;
/// Chains of one kernel table by name; nothing: the chain is to be removed.
using Chains = std::map<std::string, std::optional<Rules>>;
struct ChainSet {
  Chains nat, filter;
};

/// A rule in a chain of the kernel that leads into ours.
struct Jump {
  std::string chain, rule;
  friend auto operator<=>(const Jump &, const Jump &) = default;
};
std::vector<Jump> nat_jumps();
/// `guarded`: 127.0.0.0/8 is closed to strangers.
std::vector<Jump> filter_jumps(bool guarded);
/// Present in `filter` as long as it is guarded.
inline constexpr auto kGuard = "SLUICE-LOCALNET";

/// Not thread-safe.
class Ruleset {
public:
  Ruleset(Family family, Options options);

  /// Forgets everything and takes `table`.
  void reset(const Table &table);
  /// The chains that the change may touch, as they are after it. O(change), O(all) if the node
  /// changed.
  ChainSet change(const TableDelta &delta);
  /// Every chain.
  ChainSet all() const;
  /// The same in small parts, each of which is gone when the next comes.
  void each_part(const std::function<void(ChainSet)> &take) const;
  const Table &table() const noexcept { return table_; }

private:
  void index(const Frontend &frontend, const FrontendInfo &info);
  void unindex(const Frontend &frontend, const FrontendInfo &info);
  void count_local(const BackendSet &backends, int by);
  void apply(const TableDelta &delta);
  std::set<ServicePortName> services_of(const TableDelta &delta) const;
  void touch(const ServicePortName &service);

  void constant_chains(ChainSet &out) const;
  void service_chains(const ServicePortName &service, ChainSet &out) const;
  void marked_chains(ChainSet &out);
  void tree_chain(const DispatchTree &tree, const std::string &path, Chains &out) const;

  void translate_entry(const Frontend &frontend, Rules &rules) const;
  void refuse_entry(const Frontend &frontend, Rules &rules) const;
  void hairpin_entry(const Frontend &frontend, Rules &rules) const;
  std::string chain_of(const FrontendInfo &info) const;

  Family family_;
  Options options_;
  Table table_;
  DispatchTree addresses_, node_ports_;       ///< nat: what is translated
  DispatchTree hairpins_;                     ///< nat: local endpoints
  DispatchTree refused_, refused_node_ports_; ///< filter: what may stay untranslated
  std::map<ServicePortName, std::set<Frontend>> frontends_of_;
  std::map<BackendSetId, std::map<ServicePortName, int>> users_of_; ///< how many paths use it
  std::map<IpAddress, int> local_;       ///< endpoints of this node, and in how many sets
  std::map<IpAddress, int> cluster_ips_; ///< and how many frontends each has
};

} // namespace sluice::proxy::iptables
