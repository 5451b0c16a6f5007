#pragma once

#include "kernel/nft/nft.hpp"

#include <map>
#include <memory>

namespace sluice::kernel::nft::fake {

/// A network namespace's nf_tables in memory. Several `fake::Nft` may share one: what a restarted
/// program finds.
class Ruleset {
public:
  struct RuleState {
    std::uint64_t handle;
    Rule rule;
  };
  struct ChainState {
    Chain chain;
    std::vector<RuleState> rules;
  };
  struct SetState {
    Set set;
    std::map<Value, Element> elements;
  };
  struct TableState {
    std::string comment;
    std::map<std::string, ChainState> chains;
    std::map<std::string, SetState> sets;
  };
  std::map<TableId, TableState> tables;
  std::uint32_t generation = 1;
  std::uint64_t next_handle = 1;
  /// Commits that succeeded, and how many objects they touched (Batch::size).
  std::vector<std::size_t> commits;
};

/// Keeps the kernel's rules: no rule or element without its set and chain, already_exists on
/// create, not_found on remove, busy while something refers to it, a full set; and a batch that
/// fails changes nothing. A shared test suite checks it against the kernel. Not thread-safe.
class Nft final : public nft::Nft {
public:
  explicit Nft(std::shared_ptr<Ruleset> ruleset) : ruleset_(std::move(ruleset)) {}

  /// The commit after `successes` more commits fails with Errc::kernel (EIO), as do all later ones:
  /// the program died there.
  void fail_after(std::size_t successes) { successes_left_ = successes; }
  /// The next commit fails at its op number `op` (from 0), once.
  void fail_at_op(std::size_t op) { fail_at_op_ = op; }

  using nft::Nft::commit;
  Result<> commit(const Batch &batch, CommitOptions options) override;
  Result<std::uint32_t> generation() override { return ruleset_->generation; }
  Result<std::vector<TableInfo>> read_tables() override;
  Result<std::optional<TableInfo>> read_table(const TableId &table) override;
  Result<std::vector<Chain>> read_chains(const TableId &table) override;
  Result<std::vector<SetInfo>> read_sets(const TableId &table) override;
  Result<> read_elements(const TableId &table, const std::string &set, ElementSink &sink) override;
  Result<std::vector<RuleInfo>> read_rules(const TableId &table) override;

private:
  std::shared_ptr<Ruleset> ruleset_; // shared with the "kernel" that outlives this program
  std::optional<std::size_t> successes_left_, fail_at_op_;
};

} // namespace sluice::kernel::nft::fake
