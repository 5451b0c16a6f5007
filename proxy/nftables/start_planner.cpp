// From whatever is in the kernel to a table: adoption, first load, replacement.

#include "proxy/nftables/mirror.hpp"

#include "net/diff.hpp"

#include <limits>

namespace sluice::proxy::nftables {

using namespace kernel::nft;

/// Works on a fresh mirror.
class StartPlanner {
public:
  StartPlanner(Mirror &mirror, const Actual &actual)
      : mirror_(mirror), actual_(actual), before_{Batch(mirror.id())}, change_(mirror.id()),
        garbage_(mirror.id()), stale_chains_(mirror.id()) {
    for (const auto *map : {kFrontends, kNodePorts})
      for (const auto &[key, data] : actual_.of(map))
        for (const auto set : sets_of(data))
          live_.insert(set);
  }

  /// Brings the mirror to `table`, as near to what is in the kernel as can be.
  void adopt(const Table &table, const Mirror *known) {
    mirror_.node_ = table.node;
    for (const auto &[frontend, info] : table.frontends)
      mirror_.frontends_.emplace_hint(mirror_.frontends_.end(), frontend, record_of(info));
    name_sets(table, known);
    place_backends(table);
    count_uses();
    mirror_.sizes_ = sizes_kept(actual_.sizes(), sizes_for(mirror_.needed()));
  }

  /// From what is in the kernel to what the mirror holds.
  Plan plan() {
    plan_objects();
    plan_ways();
    plan_rules(); // ahead of the elements: the kernel walks all of a map that a new rule looks up
    plan_elements();
    return finish();
  }

  /// Whether everything fits beside what is in the maps until that is removed.
  bool fits_beside_what_is_there() const { return !overflow_; }

private:
  /// A set that a frontend already has in the kernel keeps its number there.
  void name_sets(const Table &table, const Mirror *known) {
    if (known != nullptr) {
      for (const auto &[id, set] : known->sets_)
        if (table.backendSets.count(id) != 0)
          mirror_.sets_[id].id = set.id;
      mirror_.prefixes_ = known->prefixes_; // one that nobody uses any more does no harm
    }
    std::set<KernelSetId> claimed;
    for (const auto &[id, set] : mirror_.sets_)
      claimed.insert(set.id);
    for (const auto &[frontend, record] : mirror_.frontends_) {
      const auto &there = actual_.of(map_of(frontend));
      const auto found = there.find(frontend_key(frontend));
      if (found == there.end())
        continue;
      const auto ids = sets_of(found->second);
      for (std::size_t i = 0; i < ids.size(); ++i)
        if (record.sets[i].value != 0 && ids[i] != 0 && mirror_.sets_.count(record.sets[i]) == 0 &&
            claimed.insert(ids[i]).second)
          mirror_.sets_[record.sets[i]].id = ids[i];
    }
    for (const auto id : claimed)
      seen(id);
    for (const auto id : live_)
      seen(id);
    for (const auto *map : {kCounts, kSlots, kMembers})
      for (const auto &[key, data] : actual_.of(map))
        seen(key.u32_at(0));
  }
  void seen(KernelSetId id) { mirror_.next_set_ = std::max(mirror_.next_set_, id + 1); }

  Slots slots_in_kernel(KernelSetId id) const {
    Slots slots;
    const auto &all = actual_.of(kSlots);
    for (std::uint32_t slot = 0;; ++slot) {
      const auto found = all.find(slot_key(id, slot));
      if (found == all.end())
        break;
      slots.endpoints.push_back(endpoint_of(mirror_.family_, found->second));
    }
    const auto count = actual_.of(kCounts).find(number(id));
    slots.count = std::min(static_cast<std::uint32_t>(slots.endpoints.size()),
                           count == actual_.of(kCounts).end() ? 0 : count->second.u32_at(0));
    return slots;
  }

  void place_backends(const Table &table) {
    for (const auto &[id, backends] : table.backendSets) {
      auto &set = mirror_.sets_[id];
      if (set.id == 0)
        set.id = mirror_.next_set_++;
      set.slots = next_slots(slots_in_kernel(set.id), backends);
      set.locals = locals_of(backends);
      mirror_.slots_in_use_ += set.slots.endpoints.size();
      mirror_.counts_.insert(set.slots.count);
    }
  }

  void count_uses() {
    auto &m = mirror_;
    for (const auto &[frontend, record] : m.frontends_) {
      m.use(frontend, record);
      m.ranges_ += record.ranges.size();
      for (const auto &range : record.ranges)
        m.prefixes_.insert(static_cast<std::uint8_t>(range.prefix_length()));
      if (record.affinity.number != 0)
        m.timeouts_.insert(record.affinity.seconds);
    }
    for (const auto &[id, set] : m.sets_) {
      if (m.sticky_.has(id))
        m.members_ += set.slots.count;
      for (const auto &ip : set.locals)
        m.hairpins_.add(ip);
    }
    m.cluster_ips_.take_changes();
    m.hairpins_.take_changes();
    m.sticky_.take_changes();
    m.services_.take_changes();
  }

  /// A map that is there keeps its size.
  static Sizes sizes_kept(const Sizes &found, const Sizes &fresh) {
    const auto keep = [](std::uint32_t old, std::uint32_t other) { return old != 0 ? old : other; };
    return {.frontends = keep(found.frontends, fresh.frontends),
            .nodePorts = keep(found.nodePorts, fresh.nodePorts),
            .sets = keep(found.sets, fresh.sets),
            .slots = keep(found.slots, fresh.slots),
            .hairpins = keep(found.hairpins, fresh.hairpins),
            .ranges = keep(found.ranges, fresh.ranges),
            .members = keep(found.members, fresh.members)};
  }

  void plan_objects() {
    auto &batch = before();
    if (!actual_.exists)
      batch.create_table(layout_mark());
    for (auto &set : maps(mirror_.family_, mirror_.sizes_))
      if (actual_.set(set.name) == nullptr)
        batch.create(std::move(set));
    for (auto &chain : constant_chains())
      if (!actual_.has_chain(chain.name))
        batch.create(std::move(chain));
  }

  /// The chains that come and go, and the ways to them.
  void plan_ways() {
    std::map<std::string, std::map<std::uint32_t, Verdict>> ways;
    std::set<std::string> chains;
    const auto way = [&](const std::string &map, std::uint32_t key, const std::string &chain,
                         const std::vector<Rule> &rules) {
      ways[map][key] = {VerdictCode::go_to, chain};
      chains.insert(chain);
      provide_chain(chain, rules);
    };
    for (const auto count : mirror_.counts_)
      for (const auto source : kSources)
        way(dispatch_map(source), count, pick_chain(source, count),
            pick_rules(mirror_.family_, source, count, mirror_.options_));
    ways[kTimeouts][0] = {VerdictCode::return_, {}};
    for (const auto seconds : mirror_.timeouts_)
      way(kTimeouts, seconds, remember_chain(seconds), remember_rules(mirror_.family_, seconds));
    for (const auto &[map, verdicts] : ways)
      plan_verdicts(map, verdicts);
    for (const auto &[map, verdicts] : actual_.verdicts)
      for (const auto &[key, verdict] : verdicts)
        if (ways[map].count(key) == 0)
          garbage_.remove(map, number(key));
    for (const auto &chain : actual_.chains)
      if (is_variable_chain(chain.name) && chains.count(chain.name) == 0)
        stale_chains_.remove_chain(chain.name);
  }

  void provide_chain(const std::string &chain, const std::vector<Rule> &rules) {
    if (actual_.has_chain(chain))
      return plan_rules(chain, rules);
    before().create(Chain{.name = chain});
    for (const auto &rule : rules)
      before().add(rule);
  }

  void plan_verdicts(const std::string &map, const std::map<std::uint32_t, Verdict> &wanted) {
    static const std::map<std::uint32_t, std::string> none;
    const auto found = actual_.verdicts.find(map);
    const auto &have = found == actual_.verdicts.end() ? none : found->second;
    for (const auto &[key, verdict] : wanted) {
      const Element element{.key = number(key), .verdict = verdict};
      const auto known = have.find(key);
      if (known == have.end())
        before().add(map, element);
      else if (known->second != verdict.str())
        change_.replace(map, element);
    }
  }

  void plan_elements() {
    const auto &m = mirror_;
    const auto &sizes = m.sizes_;
    plan_map(kSlots, sizes.slots, true, [&](auto put) {
      for (const auto &[id, set] : m.sets_)
        for (std::uint32_t slot = 0; slot < set.slots.endpoints.size(); ++slot)
          put(slot_key(set.id, slot), slot_data(set.slots.endpoints[slot]));
    });
    plan_map(kCounts, sizes.sets, true, [&](auto put) {
      for (const auto &[id, set] : m.sets_)
        put(number(set.id), number(set.slots.count));
    });
    plan_map(kMembers, sizes.members, true, [&](auto put) {
      for (const auto &[id, uses] : m.sticky_.counts())
        if (const auto set = m.sets_.find(id); set != m.sets_.end())
          for (const auto &endpoint : members_of(set->second.slots))
            put(member_key(set->second.id, endpoint), Value());
    });
    plan_map(kServices, sizes.frontends, false, [&](auto put) {
      put(service_key({}), number(0));
      for (const auto &[service, uses] : m.services_.counts())
        put(service_key(service), number(service.seconds));
    });
    plan_map(kRanges, sizes.ranges, false, [&](auto put) {
      for (const auto &[frontend, record] : m.frontends_)
        for (const auto &range : record.ranges)
          put(range_key(frontend, range), Value());
    });
    for (const auto *map : {kNodePorts, kFrontends})
      plan_map(map, map == kFrontends ? sizes.frontends : sizes.nodePorts, false, [&](auto put) {
        for (const auto &[frontend, record] : m.frontends_)
          if (map_of(frontend) == map)
            put(frontend_key(frontend), frontend_data(record, m.kernel_sets(record)));
      });
    plan_map(kClusterIps, sizes.frontends, false, [&](auto put) {
      for (const auto &[ip, uses] : m.cluster_ips_.counts())
        put(field(ip), Value());
    });
    plan_map(kHairpin, sizes.hairpins, false, [&](auto put) {
      for (const auto &[ip, uses] : m.hairpins_.counts())
        put(hairpin_key(ip), Value());
    });
    plan_map(kNodePortIps, std::numeric_limits<std::size_t>::max(), false, [&](auto put) {
      for (const auto &ip : node_port_ips(m.node_))
        put(field(ip), Value());
    });
  }

  /// `each(put)` puts every element that is wanted, once. `of_sets`: the key begins with a set's
  /// number, and what no live frontend names is seen by none.
  template <class Each> void plan_map(const char *map, std::size_t size, bool of_sets, Each each) {
    const auto &have = actual_.of(map);
    if (have.empty()) { // nothing to compare with: a first load needs no copy of the table
      std::size_t number = 0;
      each([&](const Value &key, const Value &data) {
        overflow_ = overflow_ || ++number > size;
        (of_sets && live_.count(key.u32_at(0)) == 0 ? before() : change_)
            .add(map, {.key = key, .data = data});
      });
      return;
    }
    Elements desired;
    each([&](const Value &key, const Value &data) { desired.emplace(key, data); });
    plan_difference(map, have, desired, size, of_sets);
  }

  void plan_difference(const char *map, const Elements &have, const Elements &desired,
                       std::size_t size, bool of_sets) {
    const auto difference = diff(have, desired);
    const auto is_live = [&](const Value &key) {
      return !of_sets || live_.count(key.u32_at(0)) != 0;
    };
    for (const auto &key : difference.remove)
      (of_sets ? garbage_ : change_).remove(map, key);
    std::size_t most = have.size();
    for (const auto &[key, data] : difference.set)
      if (have.count(key) != 0)
        (is_live(key) ? change_ : before()).remove(map, key);
      else
        ++most;
    overflow_ = overflow_ || most > size;
    for (const auto &[key, data] : difference.set)
      (is_live(key) ? change_ : before()).add(map, {.key = key, .data = data});
  }

  void plan_rules() {
    for (const auto &[chain, rules] :
         constant_rules(mirror_.family_, mirror_.node_, mirror_.options_))
      plan_rules(chain, rules);
    plan_rules(kRangesChain, range_rules(mirror_.family_, mirror_.prefixes_));
  }

  void plan_rules(const std::string &chain, const std::vector<Rule> &rules) {
    const auto found = actual_.rules.find(chain);
    const auto have = found == actual_.rules.end() ? std::vector<std::string>() : found->second;
    std::vector<std::string> wanted;
    for (const auto &rule : rules)
      wanted.push_back(text_of(mirror_.id().family, rule));
    if (have == wanted)
      return;
    if (!have.empty())
      change_.flush_chain(chain);
    for (const auto &rule : rules)
      change_.add(rule);
  }

  Batch &before() {
    if (before_.back().size() >= mirror_.options_.elementsPerCommit)
      before_.emplace_back(mirror_.id());
    return before_.back();
  }

  Plan finish() {
    Plan plan{.before = std::move(before_), .change = std::move(change_), .after = {}};
    if (plan.before.back().empty())
      plan.before.pop_back();
    for (auto *batch : {&garbage_, &stale_chains_})
      if (!batch->empty())
        plan.after.push_back(std::move(*batch));
    return plan;
  }

  Mirror &mirror_;
  const Actual &actual_;
  std::set<KernelSetId> live_; // named by a frontend in the kernel
  std::vector<Batch> before_;  // never empty while planning
  Batch change_, garbage_, stale_chains_;
  bool overflow_ = false;
};

Plan Mirror::plan_start(const Actual &actual, const Table &table, const Mirror *known) {
  StartPlanner planner(*this, actual);
  planner.adopt(table, known);
  auto plan = planner.plan();
  if (!actual.exists || planner.fits_beside_what_is_there())
    return plan;
  *this = Mirror(family_, options_);
  return plan_replace(table);
}

Plan Mirror::plan_replace(const Table &table) {
  const Actual nothing;
  StartPlanner(*this, nothing).adopt(table, nullptr);
  return plan_anew();
}

Plan Mirror::plan_anew() {
  const Actual nothing;
  auto plan = StartPlanner(*this, nothing).plan();
  Batch all(id());
  all.destroy_table();
  for (auto &batch : plan.before)
    all.append(std::move(batch));
  all.append(std::move(plan.change));
  return {.before = {}, .change = std::move(all), .after = {}};
}

} // namespace sluice::proxy::nftables
