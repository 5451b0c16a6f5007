#pragma once
// The kernel's nf_tables as this program sees it: commit a batch, read back. `NftSocket` is the
// real one, `fake::Nft` keeps tables in memory by the kernel's rules.

#include "kernel/nft/batch.hpp"

#include "net/result.hpp"

namespace sluice::kernel::nft {

struct TableInfo {
  TableId id;
  std::string comment; ///< our layout mark
  friend bool operator==(const TableInfo &, const TableInfo &) = default;
};
/// What the kernel says of a set. The types are of no interest to it: compare lengths and flags.
struct SetInfo {
  std::string name;
  std::uint32_t flags = 0; ///< NFT_SET_*
  std::uint32_t key_bytes = 0, data_bytes = 0;
  bool verdicts = false;
  std::uint32_t size = 0;
  friend bool operator==(const SetInfo &, const SetInfo &) = default;
};
/// What the kernel will say of `set`.
SetInfo info_of(const Set &set);

struct RuleInfo {
  std::string chain;
  std::uint64_t handle = 0;
  std::string text; ///< as text_of prints it
  std::string comment;
};

/// Takes elements as they arrive.
class ElementSink {
public:
  virtual ~ElementSink() = default;
  /// Before the first element, and again if the dump was interrupted and starts over: forget what
  /// came.
  virtual void begin() = 0;
  virtual void take(Element &&element) = 0;
};

struct CommitOptions {
  /// Fails with Errc::conflict if the ruleset is not of this generation any more (somebody
  /// committed).
  std::optional<std::uint32_t> generation = {};
};

/// Not thread-safe. Every error names the object (and the table) and what the kernel said.
class Nft {
public:
  virtual ~Nft() = default;

  /// All or nothing. The error quotes the operation that the kernel refused. An empty batch is
  /// nothing.
  virtual Result<> commit(const Batch &batch, CommitOptions options) = 0;
  Result<> commit(const Batch &batch) { return commit(batch, CommitOptions{}); }

  /// Grows with every commit of anybody in this network namespace.
  virtual Result<std::uint32_t> generation() = 0;
  virtual Result<std::vector<TableInfo>> read_tables() = 0;
  /// Nothing if there is no such table; so do the others answer with nothing in it.
  virtual Result<std::optional<TableInfo>> read_table(const TableId &table) = 0;
  virtual Result<std::vector<Chain>> read_chains(const TableId &table) = 0;
  virtual Result<std::vector<SetInfo>> read_sets(const TableId &table) = 0;
  /// not_found if there is no such set.
  virtual Result<> read_elements(const TableId &table, const std::string &set,
                                 ElementSink &sink) = 0;
  /// The one with this key, or nothing; nothing also if there is no such table or set. O(1) in the
  /// kernel for all but interval sets.
  virtual Result<std::optional<Element>> read_element(const TableId &table, const std::string &set,
                                                      const Value &key);
  /// In the order in which they are evaluated within each chain.
  virtual Result<std::vector<RuleInfo>> read_rules(const TableId &table) = 0;

  /// All elements at once; for tests and small sets.
  Result<std::vector<Element>> elements(const TableId &table, const std::string &set);
};

} // namespace sluice::kernel::nft
