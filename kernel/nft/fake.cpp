#include "kernel/nft/fake.hpp"

#include <cerrno>
#include <functional>

namespace sluice::kernel::nft::fake {
namespace {

using Undo = std::vector<std::function<void()>>;
using TableState = Ruleset::TableState;

/// Applies ops one by one and remembers how to take each back. Answers an errno, 0 for done.
class Transaction {
public:
  Transaction(Ruleset &ruleset, const TableId &id) : ruleset_(ruleset), id_(id) {}
  void roll_back() {
    for (auto step = undo_.rbegin(); step != undo_.rend(); ++step)
      (*step)();
  }
  /// The element of the op that was refused.
  std::size_t element() const { return element_; }

  int operator()(Verb verb, const TableOp &op) {
    const auto found = ruleset_.tables.find(id_);
    if (verb == Verb::remove) {
      if (found == ruleset_.tables.end())
        return ENOENT;
      return extract(ruleset_.tables, found);
    }
    if (found != ruleset_.tables.end())
      return verb == Verb::create ? EEXIST : 0;
    ruleset_.tables[id_].comment = op.comment;
    keep([this] { ruleset_.tables.erase(id_); });
    return 0;
  }

  int operator()(Verb verb, const Chain &chain) {
    auto *table = this->table();
    if (table == nullptr)
      return ENOENT;
    const auto found = table->chains.find(chain.name);
    if (verb == Verb::remove) {
      if (found == table->chains.end())
        return ENOENT;
      if (is_target(*table, chain.name))
        return EBUSY;
      return extract(table->chains, found);
    }
    if (found != table->chains.end())
      return verb == Verb::create ? EEXIST : 0;
    table->chains[chain.name].chain = chain;
    keep([table, name = chain.name] { table->chains.erase(name); });
    return 0;
  }

  int operator()(Verb verb, const Set &set) {
    auto *table = this->table();
    if (table == nullptr)
      return ENOENT;
    const auto found = table->sets.find(set.name);
    if (verb == Verb::remove) {
      if (found == table->sets.end())
        return ENOENT;
      if (is_looked_up(*table, set.name))
        return EBUSY;
      return extract(table->sets, found);
    }
    if (found != table->sets.end())
      return verb == Verb::create || info_of(found->second.set) != info_of(set) ? EEXIST : 0;
    table->sets[set.name].set = set;
    keep([table, name = set.name] { table->sets.erase(name); });
    return 0;
  }

  int operator()(Verb verb, const ElementsOp &op) {
    auto *table = this->table();
    const auto found = table == nullptr ? decltype(table->sets.end()){} : table->sets.find(op.set);
    if (table == nullptr || found == table->sets.end())
      return ENOENT;
    for (element_ = 0; element_ < op.elements.size(); ++element_)
      if (const int error = change(verb, *table, found->second, op.elements[element_]); error != 0)
        return error;
    element_ = 0;
    return 0;
  }

  int operator()(Verb, const Rule &rule) {
    auto *chain = this->chain(rule.chain);
    if (chain == nullptr)
      return ENOENT;
    for (const auto &expr : rule.exprs) {
      if (const auto *lookup = std::get_if<Lookup>(&expr))
        if (const int error = check(*lookup); error != 0)
          return error;
      if (const auto *dynset = std::get_if<Dynset>(&expr))
        if (table()->sets.count(dynset->set) == 0)
          return ENOENT;
      if (const auto *verdict = std::get_if<Verdict>(&expr))
        if (!verdict->chain.empty() && table()->chains.count(verdict->chain) == 0)
          return ENOENT;
    }
    chain->rules.push_back({ruleset_.next_handle++, rule});
    keep([chain] { chain->rules.pop_back(); });
    return 0;
  }

  int operator()(Verb, const RuleHandle &handle) {
    auto *chain = this->chain(handle.chain);
    if (chain == nullptr)
      return ENOENT;
    for (auto at = chain->rules.begin(); at != chain->rules.end(); ++at)
      if (at->handle == handle.handle) {
        keep([chain, rules = chain->rules] { chain->rules = rules; });
        chain->rules.erase(at);
        return 0;
      }
    return ENOENT;
  }

  int operator()(Verb, const FlushSet &flush) {
    auto *table = this->table();
    if (table == nullptr || table->sets.count(flush.set) == 0)
      return ENOENT;
    auto &elements = table->sets[flush.set].elements;
    keep([&elements, old = elements] { elements = old; });
    elements.clear();
    return 0;
  }

  int operator()(Verb, const FlushChain &flush) {
    if (table() == nullptr || (!flush.chain.empty() && chain(flush.chain) == nullptr))
      return ENOENT;
    for (auto &[name, state] : table()->chains)
      if (flush.chain.empty() || name == flush.chain) {
        keep([&rules = state.rules, old = state.rules] { rules = old; });
        state.rules.clear();
      }
    return 0;
  }

private:
  template <class Fn> void keep(Fn fn) { undo_.emplace_back(std::move(fn)); }

  /// Takes the node out and keeps it: earlier steps point into it.
  template <class Map> int extract(Map &map, typename Map::iterator at) {
    keep([&map, node = std::make_shared<typename Map::node_type>(map.extract(at))] {
      map.insert(std::move(*node));
    });
    return 0;
  }

  TableState *table() {
    const auto found = ruleset_.tables.find(id_);
    return found == ruleset_.tables.end() ? nullptr : &found->second;
  }
  Ruleset::ChainState *chain(const std::string &name) {
    auto *of = table();
    const auto found = of == nullptr ? decltype(of->chains.end()){} : of->chains.find(name);
    return of == nullptr || found == of->chains.end() ? nullptr : &found->second;
  }

  int check(const Lookup &lookup) {
    const auto found = table()->sets.find(lookup.set);
    if (found == table()->sets.end())
      return ENOENT;
    const auto &set = found->second.set;
    const bool fits = lookup.to_verdict ? set.verdicts
                      : lookup.dreg     ? !set.data.empty()
                                        : !set.is_map() || !lookup.invert;
    return fits ? 0 : EINVAL;
  }

  int change(Verb verb, TableState &table, Ruleset::SetState &state, const Element &element) {
    const auto &set = state.set;
    if (element.key.size() != set.key_bytes())
      return EINVAL;
    const auto found = state.elements.find(element.key);
    if (verb == Verb::remove) {
      if (found == state.elements.end())
        return ENOENT;
      keep([&state, old = found->second] { state.elements[old.key] = old; });
      state.elements.erase(found);
      return 0;
    }
    if (element.data.size() != set.data_bytes() || element.verdict.has_value() != set.verdicts)
      return EINVAL;
    if (element.verdict && !element.verdict->chain.empty() &&
        table.chains.count(element.verdict->chain) == 0)
      return ENOENT;
    if (found != state.elements.end()) {
      const bool same =
          found->second.data == element.data && found->second.verdict == element.verdict;
      return verb == Verb::create || !same ? EEXIST : 0;
    }
    if (set.size > 0 && state.elements.size() >= set.size)
      return ENFILE;
    state.elements[element.key] = element;
    keep([&state, key = element.key] { state.elements.erase(key); });
    return 0;
  }

  static bool is_target(const TableState &table, const std::string &chain) {
    for (const auto &[name, state] : table.chains)
      for (const auto &rule : state.rules)
        for (const auto &expr : rule.rule.exprs)
          if (const auto *verdict = std::get_if<Verdict>(&expr); verdict && verdict->chain == chain)
            return true;
    for (const auto &[name, state] : table.sets)
      if (state.set.verdicts)
        for (const auto &[key, element] : state.elements)
          if (element.verdict && element.verdict->chain == chain)
            return true;
    return false;
  }

  static bool is_looked_up(const TableState &table, const std::string &set) {
    for (const auto &[name, state] : table.chains)
      for (const auto &rule : state.rules)
        for (const auto &expr : rule.rule.exprs) {
          const auto *lookup = std::get_if<Lookup>(&expr);
          const auto *dynset = std::get_if<Dynset>(&expr);
          if ((lookup && lookup->set == set) || (dynset && dynset->set == set))
            return true;
        }
    return false;
  }

  Ruleset &ruleset_;
  TableId id_;
  Undo undo_;
  std::size_t element_ = 0;
};

} // namespace

Result<> Nft::commit(const Batch &batch, CommitOptions options) {
  if (batch.empty())
    return {};
  const auto doing = "commit to nft table \"" + batch.table().str() + "\"";
  if (successes_left_ && *successes_left_ == 0)
    return fail(Error(Errc::kernel, doing + ": the fake was told to fail"));
  if (options.generation && *options.generation != ruleset_->generation)
    return fail(Errc::conflict, doing + ": another program changed the ruleset first");
  Transaction transaction(*ruleset_, batch.table());
  for (std::size_t i = 0; i < batch.ops().size(); ++i) {
    const auto &op = batch.ops()[i];
    const bool told = fail_at_op_ && *fail_at_op_ == i;
    const int error =
        told ? EIO
             : std::visit([&](const auto &object) { return transaction(op.verb, object); },
                          op.object);
    if (error == 0)
      continue;
    fail_at_op_.reset();
    const auto text = describe(batch.table(), op, transaction.element());
    transaction.roll_back();
    return fail(Error::from_errno(error, doing + ": " + text));
  }
  ++ruleset_->generation;
  ruleset_->commits.push_back(batch.size());
  if (successes_left_)
    --*successes_left_;
  return {};
}

Result<std::vector<TableInfo>> Nft::read_tables() {
  std::vector<TableInfo> tables;
  for (const auto &[id, state] : ruleset_->tables)
    tables.push_back({id, state.comment});
  return tables;
}

Result<std::optional<TableInfo>> Nft::read_table(const TableId &table) {
  const auto found = ruleset_->tables.find(table);
  if (found == ruleset_->tables.end())
    return std::optional<TableInfo>();
  return std::optional(TableInfo{table, found->second.comment});
}

Result<std::vector<Chain>> Nft::read_chains(const TableId &table) {
  std::vector<Chain> chains;
  if (const auto found = ruleset_->tables.find(table); found != ruleset_->tables.end())
    for (const auto &[name, state] : found->second.chains)
      chains.push_back(state.chain);
  return chains;
}

Result<std::vector<SetInfo>> Nft::read_sets(const TableId &table) {
  std::vector<SetInfo> sets;
  if (const auto found = ruleset_->tables.find(table); found != ruleset_->tables.end())
    for (const auto &[name, state] : found->second.sets)
      sets.push_back(info_of(state.set));
  return sets;
}

Result<> Nft::read_elements(const TableId &table, const std::string &set, ElementSink &sink) {
  sink.begin();
  const auto found = ruleset_->tables.find(table);
  if (found == ruleset_->tables.end() || found->second.sets.count(set) == 0)
    return fail(
        Error::from_errno(ENOENT, "read set \"" + set + "\" of nft table \"" + table.str() + "\""));
  for (const auto &[key, element] : found->second.sets.at(set).elements)
    sink.take(Element(element));
  return {};
}

Result<std::vector<RuleInfo>> Nft::read_rules(const TableId &table) {
  std::vector<RuleInfo> rules;
  if (const auto found = ruleset_->tables.find(table); found != ruleset_->tables.end())
    for (const auto &[name, state] : found->second.chains)
      for (const auto &[handle, rule] : state.rules)
        rules.push_back({name, handle, text_of(table.family, rule), rule.comment});
  return rules;
}

} // namespace sluice::kernel::nft::fake
