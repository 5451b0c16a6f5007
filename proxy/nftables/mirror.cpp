#include "proxy/nftables/mirror.hpp"

namespace sluice::proxy::nftables {

using namespace kernel::nft;

namespace {

void add_members(KernelSetId set, std::span<const SocketAddress> members, Batch &batch) {
  for (const auto &endpoint : members)
    batch.add(kMembers, {.key = member_key(set, endpoint)});
}

void remove_members(KernelSetId set, std::span<const SocketAddress> members, Batch &batch) {
  for (const auto &endpoint : members)
    batch.remove(kMembers, member_key(set, endpoint));
}

std::vector<SocketAddress> only_in(std::span<const SocketAddress> these,
                                   std::span<const SocketAddress> those) {
  std::vector<SocketAddress> a(these.begin(), these.end()), b(those.begin(), those.end()), out;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
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

std::vector<IpAddress> locals_of(const BackendSet &backends) {
  std::vector<IpAddress> locals;
  for (const auto &backend : backends)
    if (backend.local)
      locals.push_back(backend.address.ip);
  return locals;
}

std::span<const SocketAddress> members_of(const Slots &slots) noexcept {
  return std::span(slots.endpoints)
      .first(std::min<std::size_t>(slots.count, slots.endpoints.size()));
}

std::set<IpAddress> node_port_ips(const NodeInfo &node) {
  std::set<IpAddress> ips;
  if (!node.anyNodePortAddress)
    for (const auto &ip : node.nodePortAddresses)
      if (!ip.is_loopback())
        ips.insert(ip);
  return ips;
}

std::size_t Plan::size() const noexcept {
  std::size_t size = change.size();
  for (const auto *batches : {&before, &after})
    for (const auto &batch : *batches)
      size += batch.size();
  return size;
}

Mirror::Mirror(Family family, const Options &options) : family_(family), options_(options) {}

Sizes Mirror::needed() const {
  const auto number = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
  return {.frontends = number(frontends_.size() - node_ports_),
          .nodePorts = number(node_ports_),
          .sets = number(sets_.size()),
          .slots = number(slots_in_use_),
          .hairpins = number(hairpins_.size()),
          .ranges = number(ranges_),
          .members = number(members_)};
}

Sizes Mirror::needed_after(const TableDelta &delta) const {
  auto sizes = needed();
  for (const auto &[frontend, info] : delta.setFrontends) {
    ++(frontend.address ? sizes.frontends : sizes.nodePorts);
    sizes.ranges += static_cast<std::uint32_t>(info.source_ranges.size());
    if (info.affinity)
      for_sticky_sets(record_of(info), [&](BackendSetId id) {
        if (const auto found = sets_.find(id); found != sets_.end())
          sizes.members += found->second.slots.count;
      });
  }
  sizes.sets += static_cast<std::uint32_t>(delta.setBackends.size());
  for (const auto &[id, backends] : delta.setBackends) {
    sizes.slots += static_cast<std::uint32_t>(backends.size());
    sizes.members += static_cast<std::uint32_t>(backends.size());
    sizes.hairpins += static_cast<std::uint32_t>(locals_of(backends).size());
  }
  return sizes;
}

std::array<KernelSetId, 3> Mirror::kernel_sets(const FrontendRecord &record) const {
  std::array<KernelSetId, 3> ids{};
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (const auto found = sets_.find(record.sets[i]); found != sets_.end())
      ids[i] = found->second.id;
  return ids;
}

void Mirror::change_set(BackendSetId id, const BackendSet &backends, Batch &batch) {
  const auto [found, is_new] =
      sets_.try_emplace(id, KernelSet{.id = next_set_, .slots = {}, .locals = {}});
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
  if (sticky_.has(id)) {
    remove_members(set.id, only_in(members_of(set.slots), members_of(next)), batch);
    add_members(set.id, only_in(members_of(next), members_of(set.slots)), batch);
    members_ += next.count - set.slots.count;
  }
  slots_in_use_ += next.endpoints.size() - set.slots.endpoints.size();
  set.slots = std::move(next);
  auto locals = locals_of(backends);
  for (const auto &ip : locals)
    hairpins_.add(ip);
  for (const auto &ip : std::exchange(set.locals, std::move(locals)))
    hairpins_.drop(ip);
}

void Mirror::remove_set(BackendSetId id, Batch &batch) {
  const auto found = sets_.find(id);
  if (found == sets_.end())
    return;
  change_slots(found->second.id, found->second.slots, {}, batch);
  batch.remove(kCounts, number(found->second.id));
  slots_in_use_ -= found->second.slots.endpoints.size();
  sets_.erase(found);
}

void Mirror::drop_hairpins(BackendSetId set) {
  if (const auto found = sets_.find(set); found != sets_.end())
    for (const auto &ip : found->second.locals)
      hairpins_.drop(ip);
}

void Mirror::set_frontend(const Frontend &frontend, FrontendRecord record, Batch &batch) {
  if (record.affinity.number != 0)
    provide_timeout(record.affinity.seconds, batch);
  use(frontend, record);
  const auto key = frontend_key(frontend);
  const auto data = frontend_data(record, kernel_sets(record));
  const auto [held, is_new] = frontends_.try_emplace(frontend);
  change_ranges(frontend, held->second.ranges, record.ranges, batch);
  if (is_new) {
    batch.add(map_of(frontend), {.key = key, .data = data});
  } else {
    disuse(frontend, held->second);
    if (data != frontend_data(held->second, kernel_sets(held->second)))
      batch.replace(map_of(frontend), {.key = key, .data = data});
  }
  held->second = std::move(record);
}

void Mirror::remove_frontend(const Frontend &frontend, Batch &batch) {
  const auto held = frontends_.find(frontend);
  if (held == frontends_.end())
    return;
  disuse(frontend, held->second);
  change_ranges(frontend, held->second.ranges, {}, batch);
  batch.remove(map_of(frontend), frontend_key(frontend));
  frontends_.erase(held);
}

void Mirror::change_ranges(const Frontend &frontend, const std::vector<Cidr> &now,
                           const std::vector<Cidr> &next, Batch &batch) {
  if (now == next)
    return;
  provide_prefixes(next, batch);
  for (const auto &range : now)
    if (!std::binary_search(next.begin(), next.end(), range))
      batch.remove(kRanges, range_key(frontend, range));
  for (const auto &range : next)
    if (!std::binary_search(now.begin(), now.end(), range))
      batch.add(kRanges, {.key = range_key(frontend, range)});
  ranges_ += next.size() - now.size();
}

void Mirror::use(const Frontend &frontend, const FrontendRecord &record) {
  if (record.isClusterIp && frontend.address)
    cluster_ips_.add(*frontend.address);
  node_ports_ += frontend.address ? 0 : 1;
  if (record.affinity.number != 0)
    services_.add(record.affinity);
  for_sticky_sets(record, [&](BackendSetId set) { sticky_.add(set); });
}

void Mirror::disuse(const Frontend &frontend, const FrontendRecord &record) {
  if (record.isClusterIp && frontend.address)
    cluster_ips_.drop(*frontend.address);
  node_ports_ -= frontend.address ? 0 : 1;
  if (record.affinity.number != 0)
    services_.drop(record.affinity);
  for_sticky_sets(record, [&](BackendSetId set) { sticky_.drop(set); });
}

void Mirror::put_uses(Batch &batch) {
  const auto put = [&](UseCounts<IpAddress> &addresses, const char *set, auto key) {
    const auto changes = addresses.take_changes();
    for (const auto &ip : changes.went)
      batch.remove(set, key(ip));
    for (const auto &ip : changes.came)
      batch.add(set, {.key = key(ip)});
  };
  put(cluster_ips_, kClusterIps, [](const IpAddress &ip) { return field(ip); });
  put(hairpins_, kHairpin, hairpin_key);
  const auto services = services_.take_changes();
  for (const auto &service : services.went)
    batch.remove(kServices, service_key(service));
  for (const auto &service : services.came)
    batch.add(kServices, {.key = service_key(service), .data = number(service.seconds)});
  const auto sticky = sticky_.take_changes();
  for (const auto &set : sticky.went)
    if (const auto found = sets_.find(set); found != sets_.end()) {
      remove_members(found->second.id, members_of(found->second.slots), batch);
      members_ -= found->second.slots.count;
    }
  for (const auto &set : sticky.came)
    if (const auto found = sets_.find(set); found != sets_.end()) {
      add_members(found->second.id, members_of(found->second.slots), batch);
      members_ += found->second.slots.count;
    }
}

void Mirror::change_node(const NodeInfo &node, Batch &batch) {
  const auto old = constant_rules(family_, node_, options_);
  for (auto &[chain, rules] : constant_rules(family_, node, options_)) {
    const auto same = [&](const Rule &a, const Rule &b) {
      return text_of(id().family, a) == text_of(id().family, b);
    };
    const auto &before = old.at(chain);
    if (std::equal(before.begin(), before.end(), rules.begin(), rules.end(), same))
      continue;
    batch.flush_chain(chain);
    for (auto &rule : rules)
      batch.add(std::move(rule));
  }
  const auto ips = node_port_ips(node_), next = node_port_ips(node);
  for (const auto &ip : ips)
    if (next.count(ip) == 0)
      batch.remove(kNodePortIps, field(ip));
  for (const auto &ip : next)
    if (ips.count(ip) == 0)
      batch.add(kNodePortIps, {.key = field(ip)});
  node_ = node;
}

void Mirror::provide_count(std::uint32_t count, Batch &batch) {
  if (!counts_.insert(count).second)
    return;
  for (const auto source : kSources) {
    batch.add(Chain{.name = pick_chain(source, count)});
    for (auto &rule : pick_rules(family_, source, count, options_))
      batch.add(std::move(rule));
    batch.add(
        dispatch_map(source),
        {.key = number(count), .verdict = Verdict{VerdictCode::go_to, pick_chain(source, count)}});
  }
}

void Mirror::provide_timeout(std::uint32_t seconds, Batch &batch) {
  if (!timeouts_.insert(seconds).second)
    return;
  const auto chain = remember_chain(seconds);
  batch.add(Chain{.name = chain});
  for (auto &rule : remember_rules(family_, seconds))
    batch.add(std::move(rule));
  batch.add(kTimeouts, {.key = number(seconds), .verdict = Verdict{VerdictCode::go_to, chain}});
}

void Mirror::provide_prefixes(const std::vector<Cidr> &ranges, Batch &batch) {
  const auto before = prefixes_.size();
  for (const auto &range : ranges)
    prefixes_.insert(static_cast<std::uint8_t>(range.prefix_length()));
  if (prefixes_.size() == before)
    return;
  batch.flush_chain(kRangesChain);
  for (auto &rule : range_rules(family_, prefixes_))
    batch.add(std::move(rule));
}

Plan Mirror::plan_change(const TableDelta &delta) {
  const bool enough = fits(needed_after(delta), sizes_);
  Plan plan{.before = {}, .change = Batch(id()), .after = {}};
  for (const auto &[set, backends] : delta.setBackends)
    change_set(set, backends, plan.change);
  for (const auto &frontend : delta.removeFrontends)
    remove_frontend(frontend, plan.change);
  for (const auto &[frontend, info] : delta.setFrontends)
    set_frontend(frontend, record_of(info), plan.change);
  if (delta.node)
    change_node(*delta.node, plan.change);
  for (const auto set : delta.removeBackends)
    drop_hairpins(set);
  put_uses(plan.change);
  // A packet that read the old frontend an instant ago still looks into the old set.
  Batch garbage(id());
  for (const auto set : delta.removeBackends)
    remove_set(set, garbage);
  if (!garbage.empty())
    plan.after.push_back(std::move(garbage));
  if (enough)
    return plan;
  sizes_ = sizes_for(needed());
  return plan_anew();
}

} // namespace sluice::proxy::nftables
