#include "proxy/ipvs/actual.hpp"

#include <algorithm>

namespace sluice::proxy::ipvs {

using namespace kernel::nft;

namespace {

class Take final : public ElementSink {
public:
  explicit Take(Elements &elements) : elements_(elements) {}
  void begin() override { elements_.clear(); }
  void take(Element &&element) override {
    const auto key = element.key;
    elements_.emplace(key, std::move(element));
  }

private:
  Elements &elements_;
};

/// Not compared: the packets' own, and the record, which has its own ways.
bool is_special(const std::string &set) { return set == kAffinity || set == kServers; }

std::string why_not_adoptable(const TableInfo &info, const std::vector<Chain> &chains,
                              const std::vector<SetInfo> &sets, Family family) {
  if (info.comment != layout_mark())
    return "the table is of another layout (\"" + info.comment + "\")";
  for (const auto &wanted : constant_chains()) {
    const auto found = std::find_if(chains.begin(), chains.end(),
                                    [&](const Chain &chain) { return chain.name == wanted.name; });
    if (found == chains.end() || *found != wanted)
      return "chain \"" + wanted.name + "\" is not as we make it";
  }
  for (const auto &wanted : maps(family))
    if (std::find(sets.begin(), sets.end(), info_of(wanted)) == sets.end())
      return "map \"" + wanted.name + "\" is not as we make it";
  return {};
}

using ChainRules = std::map<std::string, std::vector<Rule>>;

ChainRules all_rules(Family family, const Mirror &mirror, const NodeInfo &node,
                     const Options &options) {
  auto rules = constant_rules(family, node, options);
  for (auto &[chain, of] : mirror.contents().chains())
    rules.emplace(chain, of);
  return rules;
}

class Planner {
public:
  Planner(TableId table, Family family, const Mirror &mirror, const NodeInfo &node,
          const Options &options)
      : table_(std::move(table)), family_(family), mirror_(mirror), options_(options),
        rules_(all_rules(family, mirror, node, options)) {}

  /// What packets look at comes last, in one commit: the constant rules.
  TablePlan fresh() const {
    TablePlan plan{{}, Batch(table_), Batch(table_)};
    plan.first.push_back(skeleton());
    Batch elements(table_);
    for (const auto &[set, of] : mirror_.contents().elements())
      for (const auto &[key, element] : of) {
        elements.add(set, element);
        if (elements.size() >= options_.elementsPerCommit)
          plan.first.push_back(std::exchange(elements, Batch(table_)));
      }
    plan.first.push_back(std::move(elements));
    for (const auto &chain : constant_chains())
      for (const auto &rule : rules_.at(chain.name))
        plan.change.add(rule);
    return plan;
  }

  /// The same as one transaction, in place of whatever is there.
  TablePlan replaced() const {
    auto plan = fresh();
    Batch all(table_);
    all.destroy_table();
    for (auto &batch : plan.first)
      all.append(std::move(batch));
    all.append(std::move(plan.change));
    plan_record({}, mirror_.servers(), all);
    return {{}, std::move(all), Batch(table_)};
  }

  TablePlan adopted(const ActualTable &actual) const {
    TablePlan plan{{}, Batch(table_), Batch(table_)};
    for (const auto &[chain, rules] : rules_)
      compare_chain(actual, chain, rules, plan.change);
    const auto desired = mirror_.contents().elements();
    for (const auto &set : maps(family_))
      if (!is_special(set.name))
        compare_elements(set.name, actual.of(set.name), desired, plan.change);
    for (const auto &chain : actual.chains)
      if (rules_.count(chain.name) == 0)
        plan.after.flush_chain(chain.name).remove_chain(chain.name);
    return plan;
  }

private:
  Batch skeleton() const {
    Batch batch(table_);
    batch.add_table(layout_mark());
    for (const auto &set : maps(family_))
      batch.add(set);
    for (const auto &chain : constant_chains())
      batch.add(chain);
    for (const auto &[chain, rules] : mirror_.contents().chains()) {
      batch.add(Chain{chain, {}});
      for (const auto &rule : rules)
        batch.add(rule);
    }
    return batch;
  }

  void compare_chain(const ActualTable &actual, const std::string &name,
                     const std::vector<Rule> &rules, Batch &change) const {
    const auto found = actual.rules.find(name);
    const std::vector<std::string> none;
    const auto &texts = found == actual.rules.end() ? none : found->second;
    const bool same = std::equal(rules.begin(), rules.end(), texts.begin(), texts.end(),
                                 [&](const Rule &rule, const std::string &text) {
                                   return text_of(table_.family, rule) == text;
                                 });
    const bool there = std::any_of(actual.chains.begin(), actual.chains.end(),
                                   [&](const Chain &chain) { return chain.name == name; });
    if (same && there)
      return;
    if (there)
      change.flush_chain(name);
    else
      change.add(Chain{name, {}});
    for (const auto &rule : rules)
      change.add(rule);
  }

  static void compare_elements(const std::string &set, const Elements &actual,
                               const std::map<std::string, Elements> &all, Batch &change) {
    const auto found = all.find(set);
    const Elements none;
    const auto &desired = found == all.end() ? none : found->second;
    for (const auto &[key, element] : actual)
      if (desired.count(key) == 0)
        change.remove(set, key);
    for (const auto &[key, element] : desired) {
      const auto there = actual.find(key);
      if (there == actual.end())
        change.add(set, element);
      else if (there->second != element)
        change.replace(set, element);
    }
  }

  TableId table_;
  Family family_;
  const Mirror &mirror_;
  const Options &options_;
  ChainRules rules_;
};

} // namespace

const Elements &ActualTable::of(const std::string &set) const {
  static const Elements kNone;
  const auto found = elements.find(set);
  return found == elements.end() ? kNone : found->second;
}

Result<ActualTable> read_table(Nft &nft, Family family, const TableId &table) {
  ActualTable actual;
  SLUICE_ASSIGN(const auto info, nft.read_table(table), "read back");
  if (!info)
    return actual;
  actual.exists = true;
  SLUICE_ASSIGN(actual.chains, nft.read_chains(table), "read back");
  SLUICE_ASSIGN(const auto sets, nft.read_sets(table), "read back");
  actual.why_not = why_not_adoptable(*info, actual.chains, sets, family);
  for (const auto &wanted : maps(family)) {
    const bool as_ours = std::find(sets.begin(), sets.end(), info_of(wanted)) != sets.end();
    if (wanted.name == kAffinity || !as_ours)
      continue;
    Take take(actual.elements[wanted.name]);
    SLUICE_TRY(nft.read_elements(table, wanted.name, take), "read back");
  }
  SLUICE_ASSIGN(const auto rules, nft.read_rules(table), "read back");
  for (const auto &rule : rules)
    actual.rules[rule.chain].push_back(rule.text);
  return actual;
}

Result<ActualServers> read_servers(kernel::ipvs::Ipvs &ipvs, Family family,
                                   const Elements &record) {
  ActualServers actual;
  SLUICE_ASSIGN(auto services, ipvs.read_services(), "read back");
  for (auto &info : services) {
    const auto *id = std::get_if<kernel::ipvs::MarkId>(&info.service.id);
    if (id == nullptr || id->family != family)
      continue;
    actual.all.insert(id->mark);
    const auto recorded = record.find(number(id->mark));
    if (recorded == record.end())
      continue;
    auto &found = actual.ours[id->mark];
    found.protocol = static_cast<Protocol>(recorded->second.data.u32_at(0));
    SLUICE_ASSIGN(const auto destinations, ipvs.read_destinations(info.service.id), "read back");
    for (const auto &destination : destinations)
      found.weights[destination.destination.address] = destination.destination.weight;
    found.service = std::move(info.service);
  }
  return actual;
}

Remembered remembered(Family family, const ActualTable &table, const ActualServers &servers) {
  Remembered all;
  for (const auto &[key, element] : table.of(kServers))
    all.ours.insert(key.u32_at(0));
  all.taken = servers.all;
  all.taken.insert(all.ours.begin(), all.ours.end());
  for (const auto &[key, element] : table.of(kFrontends))
    all.frontends.emplace(key, marks_of(element.data));
  for (const auto &[key, element] : table.of(kPinned))
    all.pinned.emplace(pinned_of(family, key), element.data.u32_at(0));
  return all;
}

TablePlan plan_table(const ActualTable &actual, const TableId &table, Family family,
                     const Mirror &mirror, const NodeInfo &node, const Options &options) {
  const Planner planner(table, family, mirror, node, options);
  if (!actual.exists)
    return planner.fresh();
  return actual.adoptable() ? planner.adopted(actual) : planner.replaced();
}

void plan_record(const Elements &actual, const Servers &servers, Batch &batch) {
  for (const auto &[key, element] : actual)
    if (servers.actual().count(key.u32_at(0)) == 0)
      batch.remove(kServers, key);
  for (const auto &[mark, found] : servers.actual())
    if (actual.count(number(mark)) == 0)
      batch.add(kServers,
                {.key = number(mark), .data = number(static_cast<std::uint32_t>(found.protocol))});
}

Batch plan_farewell(const ActualTable &actual, const TableId &table) {
  Batch batch(table);
  for (const auto &[set, elements] : actual.elements)
    if (set != kServers && !elements.empty())
      batch.flush_set(set);
  // The service range is another mode's now.
  if (const auto rules = actual.rules.find(kUnmatchedChain);
      rules != actual.rules.end() && !rules->second.empty())
    batch.flush_chain(kUnmatchedChain);
  return batch;
}

std::vector<kernel::ipvs::Op> plan_rest(const ActualServers &servers) {
  std::vector<kernel::ipvs::Op> ops;
  for (const auto &[mark, server] : servers.ours)
    for (const auto &[endpoint, weight] : server.weights)
      if (weight != 0)
        ops.emplace_back(
            kernel::ipvs::EditDestination{server.service.id, {.address = endpoint, .weight = 0}});
  return ops;
}

std::vector<kernel::ipvs::Op> plan_end(const ActualServers &servers, const OpenConnections &open,
                                       std::vector<Mark> &removed) {
  std::vector<kernel::ipvs::Op> ops;
  for (const auto &[mark, server] : servers.ours) {
    std::size_t kept = 0;
    for (const auto &[endpoint, weight] : server.weights)
      if (open.count({server.protocol, endpoint}) != 0)
        ++kept;
      else
        ops.emplace_back(kernel::ipvs::RemoveDestination{server.service.id, endpoint});
    if (kept != 0)
      continue;
    ops.emplace_back(kernel::ipvs::RemoveService{server.service.id});
    removed.push_back(mark);
  }
  return ops;
}

} // namespace sluice::proxy::ipvs
