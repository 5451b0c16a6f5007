#include "proxy/nftables/mirror.hpp"

namespace sluice::proxy::nftables {

using namespace kernel::nft;

namespace {

template <class Each> void for_local(const BackendSet &backends, Each each) {
  for (const auto &backend : backends)
    if (backend.local)
      each(backend.address.ip);
}

/// Removals before additions, so that each is one message.
void change_slots(KernelSetId set, const Slots &now, const Slots &next, Batch &batch) {
  const auto size = std::max(now.endpoints.size(), next.endpoints.size());
  const auto differs = [&](std::size_t slot) {
    return slot >= now.endpoints.size() || slot >= next.endpoints.size() ||
           now.endpoints[slot] != next.endpoints[slot];
  };
  for (std::size_t slot = 0; slot < size; ++slot)
    if (differs(slot) && slot < now.endpoints.size())
      batch.remove(kSlots, slot_key(set, static_cast<std::uint32_t>(slot)));
  for (std::size_t slot = 0; slot < size; ++slot)
    if (differs(slot) && slot < next.endpoints.size())
      batch.add(kSlots, {.key = slot_key(set, static_cast<std::uint32_t>(slot)),
                         .data = slot_data(next.endpoints[slot])});
}

} // namespace

AddressCounts::Changes AddressCounts::take_changes() {
  Changes changes;
  for (const auto &[ip, was_there] : before_) {
    const bool is_there = counts_.count(ip) != 0;
    if (is_there && !was_there)
      changes.came.push_back(ip);
    if (was_there && !is_there)
      changes.went.push_back(ip);
  }
  before_.clear();
  return changes;
}

void AddressCounts::change(const IpAddress &ip, int by) {
  const auto [found, inserted] = counts_.try_emplace(ip, 0);
  before_.try_emplace(ip, !inserted);
  found->second += by;
  if (found->second <= 0)
    counts_.erase(found);
}

std::size_t Plan::size() const noexcept {
  std::size_t size = change.size();
  for (const auto *batches : {&before, &after})
    for (const auto &batch : *batches)
      size += batch.size();
  return size;
}

Mirror::Mirror(Family family, const Options &options) : family_(family), options_(options) {
  table_.family = family;
}

Sizes Mirror::needed() const {
  return {.frontends = static_cast<std::uint32_t>(table_.frontends.size()),
          .sets = static_cast<std::uint32_t>(sets_.size()),
          .slots = static_cast<std::uint32_t>(slots_in_use_),
          .hairpins = static_cast<std::uint32_t>(hairpins_.size())};
}

Sizes Mirror::needed_after(const TableDelta &delta) const {
  auto sizes = needed();
  sizes.frontends += static_cast<std::uint32_t>(delta.setFrontends.size());
  sizes.sets += static_cast<std::uint32_t>(delta.setBackends.size());
  for (const auto &[id, backends] : delta.setBackends) {
    sizes.slots += static_cast<std::uint32_t>(backends.size());
    for_local(backends, [&](const IpAddress &) { ++sizes.hairpins; });
  }
  return sizes;
}

std::array<KernelSetId, 3> Mirror::kernel_sets(const FrontendInfo &info) const {
  std::array<KernelSetId, 3> ids{};
  for (const auto source : kSources)
    if (const auto found = sets_.find(path_of(info, source).backends); found != sets_.end())
      ids[static_cast<std::size_t>(source)] = found->second.id;
  return ids;
}

void Mirror::change_set(BackendSetId id, const BackendSet &backends, Batch &batch) {
  const auto [found, is_new] = sets_.try_emplace(id, KernelSet{.id = next_set_, .slots = {}});
  auto &set = found->second;
  next_set_ += is_new ? 1 : 0;
  auto next = next_slots(set.slots, backends);
  change_slots(set.id, set.slots, next, batch);
  if (next.count != set.slots.count) {
    provide_count(next.count, batch);
    if (!is_new)
      batch.remove(kCounts, number(set.id));
    batch.add(kCounts, {.key = number(set.id), .data = number(next.count)});
  }
  slots_in_use_ += next.endpoints.size() - set.slots.endpoints.size();
  set.slots = std::move(next);
  for_local(backends, [&](const IpAddress &ip) { hairpins_.add(ip); });
  if (const auto old = table_.backendSets.find(id); old != table_.backendSets.end())
    for_local(old->second, [&](const IpAddress &ip) { hairpins_.drop(ip); });
}

void Mirror::remove_set(BackendSetId id, Batch &batch) {
  const auto found = sets_.find(id);
  if (found == sets_.end())
    return;
  change_slots(found->second.id, found->second.slots, {}, batch);
  batch.remove(kCounts, number(found->second.id));
  slots_in_use_ -= found->second.slots.endpoints.size();
  sets_.erase(found);
  if (const auto old = table_.backendSets.find(id); old != table_.backendSets.end())
    for_local(old->second, [&](const IpAddress &ip) { hairpins_.drop(ip); });
}

void Mirror::set_frontend(const Frontend &frontend, const FrontendInfo &info, Batch &batch) {
  const auto key = frontend_key(frontend);
  const auto data = frontend_data(info, kernel_sets(info));
  if (info.kind == FrontendKind::cluster_ip)
    cluster_ips_.add(*frontend.address);
  if (const auto old = table_.frontends.find(frontend); old != table_.frontends.end()) {
    if (old->second.kind == FrontendKind::cluster_ip)
      cluster_ips_.drop(*frontend.address);
    if (data == frontend_data(old->second, kernel_sets(old->second)))
      return;
    batch.remove(kFrontends, key);
  }
  batch.add(kFrontends, {.key = key, .data = data});
}

void Mirror::remove_frontend(const Frontend &frontend, Batch &batch) {
  const auto found = table_.frontends.find(frontend);
  if (found == table_.frontends.end())
    return;
  if (found->second.kind == FrontendKind::cluster_ip)
    cluster_ips_.drop(*frontend.address);
  batch.remove(kFrontends, frontend_key(frontend));
}

void Mirror::change_node(const NodeInfo &node, Batch &batch) {
  const auto old = constant_rules(family_, table_.node, options_);
  for (auto &[chain, rules] : constant_rules(family_, node, options_)) {
    const auto same = [&](const Rule &a, const Rule &b) {
      return text_of(id().family, a) == text_of(id().family, b);
    };
    const auto &before = old.at(chain);
    if (std::equal(before.begin(), before.end(), rules.begin(), rules.end(), same))
      continue;
    batch.flush_chain(chain);
    for (const auto &rule : rules)
      batch.add(rule);
  }
}

void Mirror::provide_count(std::uint32_t count, Batch &batch) {
  if (!counts_.insert(count).second)
    return;
  for (const auto source : kSources) {
    batch.add(Chain{.name = pick_chain(source, count)});
    batch.add(pick_rule(family_, source, count, options_));
    batch.add(
        dispatch_map(source),
        {.key = number(count), .verdict = Verdict{VerdictCode::go_to, pick_chain(source, count)}});
  }
}

void Mirror::put_addresses(Batch &batch) {
  const auto put = [&](AddressCounts &addresses, const char *set, auto key) {
    const auto changes = addresses.take_changes();
    for (const auto &ip : changes.went)
      batch.remove(set, key(ip));
    for (const auto &ip : changes.came)
      batch.add(set, {.key = key(ip)});
  };
  put(cluster_ips_, kClusterIps, [](const IpAddress &ip) { return field(ip); });
  put(hairpins_, kHairpin, hairpin_key);
}

Plan Mirror::plan_change(const TableDelta &delta) {
  if (!fits(needed_after(delta), sizes_)) {
    auto table = table_;
    apply_delta(table, delta);
    *this = Mirror(family_, options_);
    return plan_replace(std::move(table));
  }
  Plan plan{.before = {}, .change = Batch(id()), .after = {}};
  for (const auto &[set, backends] : delta.setBackends)
    change_set(set, backends, plan.change);
  for (const auto &frontend : delta.removeFrontends)
    remove_frontend(frontend, plan.change);
  for (const auto &[frontend, info] : delta.setFrontends)
    set_frontend(frontend, info, plan.change);
  if (delta.node)
    change_node(*delta.node, plan.change);
  // A packet that read the old frontend an instant ago still looks into the old set.
  Batch garbage(id());
  for (const auto set : delta.removeBackends)
    remove_set(set, garbage);
  put_addresses(plan.change);
  if (!garbage.empty())
    plan.after.push_back(std::move(garbage));
  apply_delta(table_, delta);
  return plan;
}

} // namespace sluice::proxy::nftables
