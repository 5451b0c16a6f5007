#include "proxy/iptables/kernel_state.hpp"

#include "net/hash.hpp"

namespace sluice::proxy::iptables {
namespace {

bool is_ours(std::string_view chain) { return chain.substr(0, kPrefix.size()) == kPrefix; }

/// Of all rules in order; that of an empty chain is the seed.
constexpr std::uint64_t kEmptyDigest = fnv1a_64("");
std::uint64_t digest(std::uint64_t so_far, std::string_view rule) {
  return fnv1a_64("\n", fnv1a_64(rule, so_far));
}
std::uint64_t digest(const Rules &rules) {
  auto value = kEmptyDigest;
  for (const auto &rule : rules)
    value = digest(value, rule);
  return value;
}
SavedRules saved_as(const Rules &rules) { return {digest(rules), rules.size()}; }

/// How soon a chain may be written before the commit that makes the step, so that it comes behind
/// those that it leads to; nothing: not at all. By the names of Ruleset: "SLUICE-C-<16 digits>" and
/// so on belong to a service, those with "S" lead nowhere; fewer digits: a node of a dispatch tree,
/// which leads to nodes with more of them, and to services.
std::optional<std::size_t> rank_of(const std::string &chain) {
  constexpr std::size_t kServiceDigits = 16, kDigits = kPrefix.size() + 2;
  if (chain.size() <= kDigits || chain[kDigits - 1] != '-')
    return {};
  const auto digits = chain.size() - kDigits;
  if (digits < kServiceDigits)
    return 2 + kServiceDigits - digits;
  return chain[kPrefix.size()] == 'S' ? 0 : 1;
}

bool leads_into_ours(std::string_view rule) {
  for (const std::string_view word : {"-j ", "-g "})
    if (const auto at = rule.find(word); at != std::string_view::npos)
      if (is_ours(rule.substr(at + word.size())))
        return true;
  return false;
}

class Text {
public:
  explicit Text(std::string table) : head_("*" + std::move(table) + "\n") {}

  void chain(const std::string &name, const Rules &rules) {
    declare(name);
    for (const auto &rule : rules)
      rules_.append("-A ").append(name).append(" ").append(rule).append("\n");
  }
  void remove_chain(const std::string &name) {
    declare(name);
    removed_.append("-X ").append(name).append("\n");
  }
  void insert(const Jump &jump) { line("-I " + jump.chain + " 1 " + jump.rule); }
  void remove(const Jump &jump) { line("-D " + jump.chain + " " + jump.rule); }

  std::string str() const {
    if (declared_.empty() && rules_.empty() && removed_.empty())
      return "";
    return head_ + declared_ + rules_ + removed_ + "COMMIT\n";
  }

private:
  /// Makes it, or empties it.
  void declare(const std::string &name) { declared_.append(":").append(name).append(" - [0:0]\n"); }
  void line(const std::string &text) { rules_.append(text).append("\n"); }

  std::string head_, declared_, rules_, removed_;
};

void add_changes(const SavedTable &saved, const Chains &chains, Text &text) {
  for (const auto &[name, rules] : chains) {
    const auto present = saved.chains.find(name);
    if (!rules && present != saved.chains.end())
      text.remove_chain(name);
    if (rules && (present == saved.chains.end() || present->second.digest != digest(*rules)))
      text.chain(name, *rules);
  }
}

bool is_wanted(const std::vector<Jump> &wanted, const Jump &jump) {
  return std::find(wanted.begin(), wanted.end(), jump) != wanted.end();
}

/// Missing jumps go to the head of their chains; of several equal ones, one stays.
void add_jumps(const SavedTable &saved, const std::vector<Jump> &wanted, Text &text) {
  std::set<Jump> seen;
  for (const auto &jump : saved.jumps)
    if (!is_wanted(wanted, jump) || !seen.insert(jump).second)
      text.remove(jump);
  for (const auto &jump : wanted)
    if (seen.count(jump) == 0)
      text.insert(jump);
}

/// New chains, which nothing leads to yet; `then` is what is there when they are written.
void write_new_chains(const char *table, const Chains &all, std::size_t chains_per_text,
                      SavedTable &then, std::vector<std::string> &texts) {
  std::multimap<std::size_t, const Chains::value_type *> chains;
  for (const auto &chain : all)
    if (const auto rank = rank_of(chain.first); rank && then.chains.count(chain.first) == 0)
      chains.emplace(*rank, &chain);
  Text text(table);
  std::size_t count = 0;
  for (const auto &[rank, chain] : chains) {
    text.chain(chain->first, *chain->second);
    then.chains[chain->first] = saved_as(*chain->second);
    if (++count % chains_per_text == 0)
      texts.push_back(std::exchange(text, Text(table)).str());
  }
  texts.push_back(text.str());
}

std::string whole_table(const char *name, const SavedTable &saved, const Chains &all,
                        const std::vector<Jump> &jumps) {
  Text text(name);
  add_changes(saved, all, text);
  add_jumps(saved, jumps, text);
  for (const auto &[chain, value] : saved.chains)
    if (all.count(chain) == 0)
      text.remove_chain(chain);
  return text.str();
}

std::string removal(const char *name, const SavedTable &saved) {
  Text text(name);
  for (const auto &jump : saved.jumps)
    text.remove(jump);
  for (const auto &[chain, value] : saved.chains)
    text.remove_chain(chain);
  return text.str();
}

void compare(const std::string &table, const SavedTable &saved, const SavedTable &wanted,
             const std::vector<Jump> &jumps, std::vector<std::string> &out) {
  for (const auto &[name, value] : wanted.chains) {
    const auto present = saved.chains.find(name);
    if (present == saved.chains.end())
      out.push_back("table " + table + ": chain " + name + " is missing");
    else if (present->second.digest != value.digest)
      out.push_back("table " + table + ": the rules of chain " + name + " were changed");
  }
  for (const auto &[name, value] : saved.chains)
    if (wanted.chains.count(name) == 0)
      out.push_back("table " + table + ": chain " + name + " is left over");
  for (const auto &jump : jumps)
    if (!is_wanted(saved.jumps, jump))
      out.push_back("table " + table + ": the rule of chain " + jump.chain +
                    " that leads to ours is missing");
  std::set<Jump> seen;
  for (const auto &jump : saved.jumps)
    if (!is_wanted(jumps, jump) || !seen.insert(jump).second)
      out.push_back("table " + table + ": chain " + jump.chain +
                    " has a rule too many: " + jump.rule);
}

void note(SavedTable &saved, const Chains &chains) {
  for (const auto &[name, rules] : chains) {
    if (const auto before = saved.chains.find(name); before != saved.chains.end())
      saved.rules -= before->second.count;
    if (rules) {
      saved.chains[name] = saved_as(*rules);
      saved.rules += rules->size();
    } else {
      saved.chains.erase(name);
    }
  }
}

/// A chain with rules that was not there: something may begin to be refused.
bool grows(const SavedTable &saved, const Chains &chains) {
  for (const auto &[name, rules] : chains)
    if (rules && !rules->empty() && saved.chains.count(name) == 0)
      return true;
  return false;
}

bool is_guarded(const ChainSet &all) { return all.filter.count(kGuard) != 0; }

} // namespace

Result<Saved> read_saved(std::string_view text) {
  Saved saved;
  const auto of = [&](std::string_view table) {
    return table == "nat" ? &saved.nat : table == "filter" ? &saved.filter : nullptr;
  };
  kernel::iptables::Visitor visitor;
  visitor.chain = [&](std::string_view table, std::string_view chain, std::string_view) {
    if (auto *into = of(table); into != nullptr && is_ours(chain))
      into->chains.emplace(chain, SavedRules{kEmptyDigest, 0});
  };
  visitor.rule = [&](std::string_view table, std::string_view chain, std::string_view rule) {
    auto *into = of(table);
    if (into == nullptr)
      return;
    if (is_ours(chain)) {
      auto &of_chain =
          into->chains.try_emplace(std::string(chain), SavedRules{kEmptyDigest, 0}).first->second;
      of_chain = {digest(of_chain.digest, rule), of_chain.count + 1};
      ++into->rules;
    } else if (leads_into_ours(rule)) {
      into->jumps.push_back({std::string(chain), std::string(rule)});
    }
  };
  SLUICE_TRY(kernel::iptables::visit(text, visitor), "read back");
  return saved;
}

RuleCounts rules_in(std::string_view text) {
  RuleCounts counts;
  bool filter = false;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    if (line.substr(0, 1) == "*")
      filter = line == "*filter";
    if (line.substr(0, 3) == "-A " || line.substr(0, 3) == "-I ")
      ++(filter ? counts.filter : counts.nat);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return counts;
}

std::string KernelState::text_for(const ChainSet &chains) const {
  Text nat("nat"), filter("filter");
  add_changes(saved_.nat, chains.nat, nat);
  add_changes(saved_.filter, chains.filter, filter);
  return grows(saved_.filter, chains.filter) ? filter.str() + nat.str() : nat.str() + filter.str();
}

std::vector<std::string> KernelState::texts_for_all(const ChainSet &all,
                                                    std::size_t chains_per_text) const {
  std::vector<std::string> texts;
  auto then = saved_;
  if (chains_per_text > 0) {
    write_new_chains("nat", all.nat, chains_per_text, then.nat, texts);
    write_new_chains("filter", all.filter, chains_per_text, then.filter, texts);
  }
  texts.push_back(whole_table("filter", then.filter, all.filter, filter_jumps(is_guarded(all))) +
                  whole_table("nat", then.nat, all.nat, nat_jumps()));
  return texts;
}

std::string KernelState::text_to_remove() const {
  return removal("nat", saved_.nat) + removal("filter", saved_.filter);
}

std::vector<std::string> KernelState::differences(const KernelState &wanted) const {
  std::vector<std::string> out;
  compare("nat", saved_.nat, wanted.saved_.nat, nat_jumps(), out);
  compare("filter", saved_.filter, wanted.saved_.filter, filter_jumps(wanted.guarded()), out);
  return out;
}

void KernelState::written(const ChainSet &chains) {
  note(saved_.nat, chains.nat);
  note(saved_.filter, chains.filter);
}

RuleCounts KernelState::rules() const {
  return {saved_.nat.rules + nat_jumps().size(),
          saved_.filter.rules + filter_jumps(guarded()).size()};
}

} // namespace sluice::proxy::iptables
