#pragma once
// What an earlier run (or somebody else) left in the kernel, and what is to be done about it.

#include "proxy/ipvs/mirror.hpp"

namespace sluice::proxy::ipvs {

/// The nft table as it was read back.
struct ActualTable {
  bool exists = false;
  std::string why_not;                      ///< why it cannot be adopted; empty: it can
  std::map<std::string, Elements> elements; ///< without @affinity
  std::vector<kernel::nft::Chain> chains;
  std::map<std::string, std::vector<std::string>> rules; ///< texts, by chain
  bool adoptable() const noexcept { return exists && why_not.empty(); }
  const Elements &of(const std::string &set) const;
};
Result<ActualTable> read_table(kernel::nft::Nft &nft, Family family,
                               const kernel::nft::TableId &table);

/// The virtual services that the record names.
struct ActualServers {
  std::map<Mark, Servers::Found> ours;
  std::set<Mark> all; ///< of the family, whoever made them
};
Result<ActualServers> read_servers(kernel::ipvs::Ipvs &ipvs, Family family, const Elements &record);

Remembered remembered(Family family, const ActualTable &table, const ActualServers &servers);

/// From what is there to what should be. Pure. `first` is invisible to packets and may be several
/// commits; `change` is one, `after` removes what is unused then.
struct TablePlan {
  std::vector<kernel::nft::Batch> first;
  kernel::nft::Batch change, after;
};
TablePlan plan_table(const ActualTable &actual, const kernel::nft::TableId &table, Family family,
                     const Mirror &mirror, const NodeInfo &node, const Options &options);

/// The record of every virtual service that there is, and no other.
void plan_record(const Elements &actual, const Servers &servers, kernel::nft::Batch &batch);

// ---- another mode has taken over ---------------------------------------------------------------

/// No new connection comes to IPVS any more; the later packets of open ones do. Empty if it is so.
kernel::nft::Batch plan_farewell(const ActualTable &actual, const kernel::nft::TableId &table);
/// Weight 0 for every endpoint that has another one.
std::vector<kernel::ipvs::Op> plan_rest(const ActualServers &servers);
/// Endpoints that no open connection leads to go, and services without endpoints: `removed`.
std::vector<kernel::ipvs::Op> plan_end(const ActualServers &servers, const OpenConnections &open,
                                       std::vector<Mark> &removed);

} // namespace sluice::proxy::ipvs
