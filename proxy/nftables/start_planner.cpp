// From whatever is in the kernel to a table: adoption, first load, replacement.

#include "proxy/nftables/mirror.hpp"

#include "net/diff.hpp"

namespace sluice::proxy::nftables {

using namespace kernel::nft;

/// Works on a fresh mirror.
class StartPlanner {
public:
  StartPlanner(Mirror &mirror, const Actual &actual)
      : mirror_(mirror), actual_(actual), before_{Batch(mirror.id())}, change_(mirror.id()),
        garbage_(mirror.id()), stale_chains_(mirror.id()) {
    for (const auto &[key, data] : actual_.of(kFrontends))
      for (const auto set : sets_of(data))
        live_.insert(set);
  }

  Plan plan(const Mirror *known) {
    name_sets(known);
    place_backends();
    count_addresses();
    const auto found = actual_.sizes(), fresh = sizes_for(mirror_.needed());
    mirror_.sizes_ = {.frontends = found.frontends ? found.frontends : fresh.frontends,
                      .sets = found.sets ? found.sets : fresh.sets,
                      .slots = found.slots ? found.slots : fresh.slots,
                      .hairpins = found.hairpins ? found.hairpins : fresh.hairpins};
    plan_objects();
    plan_picking();
    plan_elements();
    plan_rules();
    return finish();
  }

  /// Whether everything fits beside what is in the maps until that is removed.
  bool fits_beside_what_is_there() const { return !overflow_; }

private:
  const Table &table() const { return mirror_.table_; }

  /// A set that a frontend already has in the kernel keeps its number there.
  void name_sets(const Mirror *known) {
    if (known != nullptr)
      for (const auto &[id, set] : known->sets_)
        if (table().backendSets.count(id) != 0)
          mirror_.sets_[id].id = set.id;
    std::set<KernelSetId> claimed;
    for (const auto &[id, set] : mirror_.sets_)
      claimed.insert(set.id);
    for (const auto &[frontend, info] : table().frontends) {
      const auto found = actual_.of(kFrontends).find(frontend_key(frontend));
      if (found == actual_.of(kFrontends).end())
        continue;
      const auto ids = sets_of(found->second);
      for (const auto source : kSources) {
        const auto set = path_of(info, source).backends;
        const auto id = ids[static_cast<std::size_t>(source)];
        if (set.value != 0 && id != 0 && mirror_.sets_.count(set) == 0 && claimed.insert(id).second)
          mirror_.sets_[set].id = id;
      }
    }
    for (const auto id : claimed)
      seen(id);
    for (const auto id : live_)
      seen(id);
    for (const auto &[key, data] : actual_.of(kCounts))
      seen(key.u32_at(0));
    for (const auto &[key, data] : actual_.of(kSlots))
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

  void place_backends() {
    for (const auto &[id, backends] : table().backendSets) {
      auto &set = mirror_.sets_[id];
      if (set.id == 0)
        set.id = mirror_.next_set_++;
      set.slots = next_slots(slots_in_kernel(set.id), backends);
      mirror_.slots_in_use_ += set.slots.endpoints.size();
      mirror_.counts_.insert(set.slots.count);
    }
  }

  void count_addresses() {
    for (const auto &[frontend, info] : table().frontends)
      if (info.kind == FrontendKind::cluster_ip)
        mirror_.cluster_ips_.add(*frontend.address);
    for (const auto &[id, backends] : table().backendSets)
      for (const auto &backend : backends)
        if (backend.local)
          mirror_.hairpins_.add(backend.address.ip);
    mirror_.cluster_ips_.take_changes();
    mirror_.hairpins_.take_changes();
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

  /// Pick chains and the ways to them.
  void plan_picking() {
    for (const auto count : mirror_.counts_)
      for (const auto source : kSources)
        provide_pick(source, count);
    for (const auto &[map, verdicts] : actual_.dispatch)
      for (const auto &[count, verdict] : verdicts)
        if (mirror_.counts_.count(count) == 0)
          garbage_.remove(map, number(count));
    for (const auto &chain : actual_.chains)
      if (const auto count = count_of_pick_chain(chain.name);
          count && mirror_.counts_.count(*count) == 0)
        stale_chains_.remove_chain(chain.name);
  }

  void provide_pick(Source source, std::uint32_t count) {
    const auto chain = pick_chain(source, count);
    const auto rule = pick_rule(mirror_.family_, source, count, mirror_.options_);
    if (!actual_.has_chain(chain))
      before().create(Chain{.name = chain}).add(rule);
    else
      plan_rules(chain, {rule});
    const Element way{.key = number(count), .verdict = Verdict{VerdictCode::go_to, chain}};
    const auto map = dispatch_map(source);
    const auto verdicts = actual_.dispatch.find(map);
    const auto found = verdicts == actual_.dispatch.end() ? std::optional<std::string>()
                                                          : verdict_of(verdicts->second, count);
    if (!found)
      before().add(map, way);
    else if (*found != way.verdict->str())
      change_.replace(map, way);
  }
  static std::optional<std::string> verdict_of(const std::map<std::uint32_t, std::string> &verdicts,
                                               std::uint32_t count) {
    const auto found = verdicts.find(count);
    return found == verdicts.end() ? std::nullopt : std::optional(found->second);
  }

  void plan_elements() {
    Elements frontends, counts, slots, cluster_ips, hairpins;
    for (const auto &[frontend, info] : table().frontends)
      frontends[frontend_key(frontend)] = frontend_data(info, mirror_.kernel_sets(info));
    for (const auto &[id, set] : mirror_.sets_) {
      counts[number(set.id)] = number(set.slots.count);
      for (std::size_t slot = 0; slot < set.slots.endpoints.size(); ++slot)
        slots[slot_key(set.id, static_cast<std::uint32_t>(slot))] =
            slot_data(set.slots.endpoints[slot]);
    }
    for (const auto &[ip, uses] : mirror_.cluster_ips_.counts())
      cluster_ips[field(ip)];
    for (const auto &[ip, uses] : mirror_.hairpins_.counts())
      hairpins[hairpin_key(ip)];
    plan_map(kSlots, slots, mirror_.sizes_.slots, true);
    plan_map(kCounts, counts, mirror_.sizes_.sets, true);
    plan_map(kFrontends, frontends, mirror_.sizes_.frontends, false);
    plan_map(kClusterIps, cluster_ips, mirror_.sizes_.frontends, false);
    plan_map(kHairpin, hairpins, mirror_.sizes_.hairpins, false);
  }

  /// `of_sets`: the key begins with a set's number, and what no live frontend names is seen by
  /// none.
  void plan_map(const char *map, const Elements &desired, std::size_t size, bool of_sets) {
    const auto &have = actual_.of(map);
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
         constant_rules(mirror_.family_, table().node, mirror_.options_))
      plan_rules(chain, rules);
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

Plan Mirror::plan_start(const Actual &actual, Table table, const Mirror *known) {
  table_ = std::move(table);
  StartPlanner planner(*this, actual);
  auto plan = planner.plan(known);
  if (actual.exists && !planner.fits_beside_what_is_there()) {
    auto whole = std::move(table_);
    *this = Mirror(family_, options_);
    return plan_replace(std::move(whole));
  }
  return plan;
}

Plan Mirror::plan_replace(Table table) {
  const Actual nothing;
  auto plan = plan_start(nothing, std::move(table));
  Batch all(id());
  all.destroy_table();
  for (auto &batch : plan.before)
    all.append(std::move(batch));
  all.append(std::move(plan.change));
  return {.before = {}, .change = std::move(all), .after = {}};
}

} // namespace sluice::proxy::nftables
