#pragma once
// What we know the kernel to hold: the table, and where its backend sets lie. One change of the
// table becomes the batches that carry it, and the mirror is ahead by it.

#include "proxy/nftables/actual.hpp"
#include "proxy/nftables/slots.hpp"

namespace sluice::proxy::nftables {

struct KernelSet {
  KernelSetId id = 0;
  Slots slots;
};

/// How often each address is used; tells which addresses came and went since it was last asked.
class AddressCounts {
public:
  void add(const IpAddress &ip) { change(ip, +1); }
  void drop(const IpAddress &ip) { change(ip, -1); }
  struct Changes {
    std::vector<IpAddress> came, went;
  };
  Changes take_changes();
  std::size_t size() const noexcept { return counts_.size(); }
  const std::map<IpAddress, int> &counts() const noexcept { return counts_; }

private:
  void change(const IpAddress &ip, int by);
  std::map<IpAddress, int> counts_;
  std::map<IpAddress, bool> before_; // whether an address that was touched was there
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

  const Table &table() const noexcept { return table_; }
  kernel::nft::TableId id() const { return {kernel::nft::table_family(family_), options_.table}; }

  /// From what is in the kernel to `table`, in a fresh mirror; `known`, if given, is the mirror
  /// that says which sets the kernel's numbers stand for. O(table).
  Plan plan_start(const Actual &actual, Table table, const Mirror *known = nullptr);
  /// Everything anew in one transaction, whatever is there. In a fresh mirror.
  Plan plan_replace(Table table);
  /// O(delta log n).
  Plan plan_change(const TableDelta &delta);

private:
  friend class StartPlanner;
  Sizes needed() const;
  Sizes needed_after(const TableDelta &delta) const;
  /// The numbers of a frontend's sets; those of the empty set and of unknown ones are 0.
  std::array<KernelSetId, 3> kernel_sets(const FrontendInfo &info) const;
  void change_set(BackendSetId id, const BackendSet &backends, kernel::nft::Batch &batch);
  void remove_set(BackendSetId id, kernel::nft::Batch &batch);
  void set_frontend(const Frontend &frontend, const FrontendInfo &info, kernel::nft::Batch &batch);
  void remove_frontend(const Frontend &frontend, kernel::nft::Batch &batch);
  void change_node(const NodeInfo &node, kernel::nft::Batch &batch);
  void provide_count(std::uint32_t count, kernel::nft::Batch &batch);
  void put_addresses(kernel::nft::Batch &batch);

  Family family_;
  Options options_;
  Table table_;
  Sizes sizes_;
  std::map<BackendSetId, KernelSet> sets_;
  std::size_t slots_in_use_ = 0; // aliases too
  KernelSetId next_set_ = 1;
  std::set<std::uint32_t> counts_; // those that have pick chains
  AddressCounts cluster_ips_, hairpins_;
};

} // namespace sluice::proxy::nftables
