#pragma once
// What we know the kernel to hold, and no more than that: the table itself is the model's. One
// change of the table becomes the batches that carry it, and the mirror is ahead by it.

#include "proxy/nftables/actual.hpp"
#include "proxy/nftables/slots.hpp"
#include "proxy/nftables/use_counts.hpp"

namespace sluice::proxy::nftables {

struct KernelSet {
  KernelSetId id = 0;
  Slots slots;
  std::vector<IpAddress> locals; ///< of the endpoints on this node
};

/// Batches to be committed in order. Each leaves a state that is right for packets.
struct Plan {
  std::vector<kernel::nft::Batch> before; ///< what no packet looks at yet
  kernel::nft::Batch change;              ///< the step that packets see
  std::vector<kernel::nft::Batch> after;  ///< what no packet looks at any more
  std::size_t size() const noexcept;
};

class Mirror {
public:
  Mirror(Family family, const Options &options);

  const NodeInfo &node() const noexcept { return node_; }
  kernel::nft::TableId id() const { return {kernel::nft::table_family(family_), options_.table}; }

  /// From what is in the kernel to `table`, in a fresh mirror; `known`, if given, is the mirror
  /// that says which sets the kernel's numbers stand for. O(table).
  Plan plan_start(const Actual &actual, const Table &table, const Mirror *known = nullptr);
  /// Everything anew in one transaction, whatever is there. In a fresh mirror.
  Plan plan_replace(const Table &table);
  /// O(delta log n). If the maps are too small for it, everything anew in one transaction.
  Plan plan_change(const TableDelta &delta);

private:
  friend class StartPlanner;
  Plan plan_anew();
  Sizes needed() const;
  Sizes needed_after(const TableDelta &delta) const;
  /// The numbers of a frontend's sets; those of the empty set and of unknown ones are 0.
  std::array<KernelSetId, 3> kernel_sets(const FrontendRecord &record) const;
  void change_set(BackendSetId id, const BackendSet &backends, kernel::nft::Batch &batch);
  void remove_set(BackendSetId id, kernel::nft::Batch &batch);
  void drop_hairpins(BackendSetId set);
  void set_frontend(const Frontend &frontend, FrontendRecord record, kernel::nft::Batch &batch);
  void remove_frontend(const Frontend &frontend, kernel::nft::Batch &batch);
  void change_ranges(const Frontend &frontend, const std::vector<Cidr> &now,
                     const std::vector<Cidr> &next, kernel::nft::Batch &batch);
  /// What a frontend uses beside its own element.
  void use(const Frontend &frontend, const FrontendRecord &record);
  void disuse(const Frontend &frontend, const FrontendRecord &record);
  void put_uses(kernel::nft::Batch &batch);
  void change_node(const NodeInfo &node, kernel::nft::Batch &batch);
  void provide_count(std::uint32_t count, kernel::nft::Batch &batch);
  void provide_timeout(std::uint32_t seconds, kernel::nft::Batch &batch);
  void provide_prefixes(const std::vector<Cidr> &ranges, kernel::nft::Batch &batch);

  Family family_;
  Options options_;
  NodeInfo node_;
  Sizes sizes_;
  std::map<Frontend, FrontendRecord> frontends_;
  std::map<BackendSetId, KernelSet> sets_;
  std::size_t slots_in_use_ = 0;            // aliases too
  std::size_t ranges_ = 0, node_ports_ = 0; // elements
  KernelSetId next_set_ = 1;
  std::set<std::uint32_t> counts_, timeouts_; // those that have chains
  std::set<std::uint8_t> prefixes_;           // those that have rules
  UseCounts<IpAddress> cluster_ips_, hairpins_;
  UseCounts<BackendSetId> sticky_; // named by frontends with affinity
  UseCounts<AffinityService> services_;
  std::size_t members_ = 0;
};

/// One entry for each local backend.
std::vector<IpAddress> locals_of(const BackendSet &backends);
/// The endpoints of a set that may be picked.
std::span<const SocketAddress> members_of(const Slots &slots) noexcept;
/// The local ones among the addresses that accept nodePorts; loopback never does.
std::set<IpAddress> node_port_ips(const NodeInfo &node);
/// Calls `each(set)` for the sets that a frontend with affinity names; for others not at all.
template <class Each> void for_sticky_sets(const FrontendRecord &record, Each each) {
  if (record.affinity.number != 0)
    for (const auto set : record.sets)
      if (set.value != 0)
        each(set);
}

} // namespace sluice::proxy::nftables
