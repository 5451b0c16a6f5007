#include "proxy/conntrack_cleanup.hpp"

namespace sluice::proxy {
namespace {

using Addresses = std::vector<SocketAddress>;

bool contains(const Addresses &sorted, const SocketAddress &address) {
  return std::binary_search(sorted.begin(), sorted.end(), address);
}

/// What is in `before` alone.
Addresses lost(const Addresses &before, const Addresses &now) {
  Addresses out;
  std::set_difference(before.begin(), before.end(), now.begin(), now.end(),
                      std::back_inserter(out));
  return out;
}

void add_all(Addresses &to, const Addresses &more) {
  Addresses both;
  std::set_union(to.begin(), to.end(), more.begin(), more.end(), std::back_inserter(both));
  to = std::move(both);
}

const FlowTarget *find(const std::vector<FlowTarget> &targets, const Frontend &frontend) {
  const auto found = std::find_if(targets.begin(), targets.end(), [&](const FlowTarget &target) {
    return target.frontend == frontend;
  });
  return found == targets.end() ? nullptr : &*found;
}

bool accepts_node_ports(const IpAddress &ip, const FlowQuery &query,
                        const std::set<IpAddress> &local) {
  if (query.anyNodePortAddress)
    return !ip.is_loopback() && local.count(ip) != 0;
  const auto &some = query.nodePortAddresses;
  return std::find(some.begin(), some.end(), ip) != some.end();
}

/// The frontend that a packet with this destination meets: a Service's own address first.
const std::pair<const Frontend, FlowQuery::Frontend> *
frontend_of(const kernel::conntrack::Flow &flow, const FlowQuery &query,
            const std::set<IpAddress> &local) {
  const auto &to = flow.original.destination;
  auto found = query.frontends.find({to.ip, to.port, flow.protocol});
  if (found == query.frontends.end() && accepts_node_ports(to.ip, query, local))
    found = query.frontends.find({std::nullopt, to.port, flow.protocol});
  return found == query.frontends.end() ? nullptr : &*found;
}

} // namespace

void FlowQuery::merge(FlowQuery newer) {
  for (auto &[frontend, now] : newer.frontends) {
    auto &held = frontends[frontend];
    add_all(now.former, held.former);
    held = std::move(now);
  }
  family = newer.family;
  all = all || newer.all;
  ownershipMark = newer.ownershipMark;
  nodePortAddresses = std::move(newer.nodePortAddresses);
  anyNodePortAddress = newer.anyNodePortAddress;
}

bool is_stale(const kernel::conntrack::Flow &flow, const FlowQuery &query,
              const std::set<IpAddress> &local) {
  if (flow.protocol != Protocol::udp)
    return false;
  const bool marked = (flow.mark & query.ownershipMark) != 0;
  const auto *found = frontend_of(flow, query, local);
  if (!found)
    return query.all && marked && flow.translated();
  const auto &[frontend, state] = *found;
  if (!flow.translated())
    return state.translates;
  if (contains(state.allowed, flow.reply.source))
    return false;
  return marked || contains(state.former, flow.reply.source) || (frontend.address && !state.gone);
}

FlowQuery FlowTracker::update(const Model &model, const std::set<kube::ObjectKey> &changed) {
  auto query = query_of(model);
  for (const auto &service : changed)
    replace(service, model.flow_targets(service), query);
  add_namesakes(query);
  return query;
}

FlowQuery FlowTracker::update_all(const Model &model) {
  auto query = query_of(model);
  query.all = true;
  std::set<kube::ObjectKey> services;
  for (const auto &[service, targets] : known_)
    services.insert(service);
  model.each_service([&](const kube::ObjectKey &service, const ServiceView &view) {
    if (std::any_of(view.ports.begin(), view.ports.end(),
                    [](const ServicePortView &port) { return port.protocol == Protocol::udp; }))
      services.insert(service);
  });
  for (const auto &service : services)
    replace(service, model.flow_targets(service), query);
  for (const auto &[service, targets] : known_)
    for (const auto &target : targets)
      query.frontends.try_emplace(
          target.frontend, FlowQuery::Frontend{target.allowed, {}, target.translates, false});
  return query;
}

FlowQuery FlowTracker::query_of(const Model &model) const {
  FlowQuery query;
  query.family = model.family();
  query.ownershipMark = ownership_mark_;
  query.nodePortAddresses = model.table().node.nodePortAddresses;
  query.anyNodePortAddress = model.table().node.anyNodePortAddress;
  return query;
}

void FlowTracker::replace(const kube::ObjectKey &service, std::vector<FlowTarget> targets,
                          FlowQuery &query) {
  const auto held = known_.find(service);
  const auto before = held == known_.end() ? std::vector<FlowTarget>{} : std::move(held->second);
  for (const auto &target : before)
    if (!find(targets, target.frontend)) {
      // Another Service may have it now.
      const auto [at, is_new] = query.frontends.try_emplace(target.frontend);
      at->second.gone = at->second.gone || is_new;
      add_all(at->second.former, target.allowed);
    }
  for (const auto &target : targets) {
    const auto *old = find(before, target.frontend);
    auto former = old ? lost(old->allowed, target.allowed) : Addresses{};
    if (old && former.empty() && (old->translates || !target.translates) &&
        query.frontends.count(target.frontend) == 0)
      continue;
    auto &frontend = query.frontends[target.frontend];
    add_all(frontend.former, former);
    frontend.allowed = target.allowed;
    frontend.translates = target.translates;
    frontend.gone = false;
  }
  if (targets.empty() && held != known_.end())
    known_.erase(held);
  else if (!targets.empty())
    known_.insert_or_assign(service, std::move(targets));
}

/// A flow to an address of the node may be one to a Service that has this address.
void FlowTracker::add_namesakes(FlowQuery &query) const {
  std::set<Port> node_ports;
  for (const auto &[frontend, state] : query.frontends)
    if (!frontend.address)
      node_ports.insert(frontend.port);
  if (node_ports.empty())
    return;
  for (const auto &[service, targets] : known_)
    for (const auto &target : targets)
      if (target.frontend.address && node_ports.count(target.frontend.port) != 0)
        query.frontends.try_emplace(
            target.frontend, FlowQuery::Frontend{target.allowed, {}, target.translates, false});
}

} // namespace sluice::proxy
