#pragma once
// A transaction is a value: printed, counted, compared, given to the kernel or to the fake.

#include "kernel/nft/expr.hpp"

namespace sluice::kernel::nft {

enum class Verb : std::uint8_t {
  add,    ///< no error if it is there already (an element with other data: already_exists)
  create, ///< already_exists if it is there
  remove, ///< not_found if it is not there
  flush,  ///< all rules of a chain, all elements of a set, all rules of the table
};
std::string_view name_of(Verb verb) noexcept;

/// The batch's table itself.
struct TableOp {
  std::string comment;
};
/// Elements of one set; consecutive ones of one verb are one op of several elements.
struct ElementsOp {
  std::string set;
  std::vector<Element> elements;
};
/// One rule of a chain, by the handle that was read back. Verb remove only.
struct RuleHandle {
  std::string chain;
  std::uint64_t handle = 0;
};
struct FlushSet {
  std::string set;
};
struct FlushChain {
  std::string chain; ///< empty: every chain of the table
};

struct Op {
  Verb verb;
  std::variant<TableOp, Chain, Set, ElementsOp, Rule, RuleHandle, FlushSet, FlushChain> object;
};

/// Changes to one table, committed together or not at all, in order.
class Batch {
public:
  explicit Batch(TableId table) : table_(std::move(table)) {}

  /// Our mark can be in the comment (at most 128 bytes; kernels from 5.10 on). The comment of a
  /// table that is there does not change.
  Batch &add_table(std::string comment = {}) { return put(Verb::add, TableOp{std::move(comment)}); }
  Batch &create_table(std::string comment = {}) {
    return put(Verb::create, TableOp{std::move(comment)});
  }
  Batch &remove_table() { return put(Verb::remove, TableOp{}); }
  /// No error if it is not there: "add table; delete table", which old kernels know too.
  Batch &destroy_table() { return add_table().remove_table(); }
  /// Flushes the rules of all chains.
  Batch &flush_table() { return put(Verb::flush, FlushChain{}); }

  Batch &add(Chain chain) { return put(Verb::add, std::move(chain)); }
  Batch &create(Chain chain) { return put(Verb::create, std::move(chain)); }
  /// Takes its rules with it; busy while a rule or an element jumps to it. Kernels before 6.2 also
  /// refuse it if the last jump to it is removed in the same batch.
  Batch &remove_chain(std::string name) { return put(Verb::remove, Chain{std::move(name), {}}); }
  Batch &flush_chain(std::string name) { return put(Verb::flush, FlushChain{std::move(name)}); }

  Batch &add(Set set) { return put(Verb::add, std::move(set)); }
  Batch &create(Set set) { return put(Verb::create, std::move(set)); }
  /// Takes its elements with it; busy while a rule looks into it.
  Batch &remove_set(std::string name) {
    return put(Verb::remove, Set{.name = std::move(name), .key = {}});
  }
  Batch &flush_set(std::string name) { return put(Verb::flush, FlushSet{std::move(name)}); }

  Batch &add(std::string_view set, Element element) {
    return put_element(Verb::add, set, std::move(element));
  }
  Batch &create(std::string_view set, Element element) {
    return put_element(Verb::create, set, std::move(element));
  }
  Batch &remove(std::string_view set, Value key) {
    return put_element(Verb::remove, set, Element{.key = key});
  }
  /// The element with this key, which is there, gets new data: remove and add, atomic in a commit.
  Batch &replace(std::string_view set, Element element);

  /// Appends a rule to its chain.
  Batch &add(Rule rule) { return put(Verb::add, std::move(rule)); }
  Batch &remove(RuleHandle rule) { return put(Verb::remove, std::move(rule)); }

  /// Everything of `other`, which is of the same table, behind what is here.
  Batch &append(Batch other);

  const TableId &table() const noexcept { return table_; }
  const std::vector<Op> &ops() const noexcept { return ops_; }
  bool empty() const noexcept { return ops_.empty(); }
  /// How many objects are touched: each element counts.
  std::size_t size() const noexcept { return size_; }
  /// About how many bytes of netlink it takes; for bounding batches.
  std::size_t bytes_estimate() const noexcept { return bytes_estimate_; }
  /// One line for each object: goldens, --dry-run.
  std::string str() const;

private:
  Batch &put(Verb verb, decltype(Op::object) object);
  Batch &put_element(Verb verb, std::string_view set, Element element);
  TableId table_;
  std::vector<Op> ops_;
  std::size_t size_ = 0;
  std::size_t bytes_estimate_ = 0;
};

/// "add element ip sluice-proxy slots { 00000001 00000000 : 0a010203 1f900000 }"; an op of several
/// elements is named by its `element`-th.
std::string describe(const TableId &table, const Op &op, std::size_t element = 0);

} // namespace sluice::kernel::nft
