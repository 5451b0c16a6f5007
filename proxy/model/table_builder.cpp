#include "proxy/model/table_builder.hpp"

namespace sluice::proxy {
namespace {

/// A Service's own address goes before one that somebody wrote into another Service.
std::uint8_t rank_of(FrontendKind kind) {
  switch (kind) {
  case FrontendKind::cluster_ip:
    return 0;
  case FrontendKind::load_balancer:
    return 1;
  case FrontendKind::external_ip:
    return 2;
  case FrontendKind::node_port:
    break;
  }
  return 3;
}

bool uses(const std::vector<FrontendPlan> &plans, EndpointList list) {
  return std::any_of(plans.begin(), plans.end(), [list](const FrontendPlan &plan) {
    return plan.from_pod == list || plan.from_node == list || plan.from_outside == list;
  });
}

std::string owner_of(const ServicePortName &name, std::string_view list) {
  return name.str() + "/" + std::string(name_of(name.protocol)) + "/" + std::string(list);
}

} // namespace

TableBuilder::TableBuilder(Family family, FrontendFilter supported)
    : supported_(std::move(supported)) {
  table_.family = family;
}

void TableBuilder::set_node(NodeInfo node) {
  if (node == table_.node)
    return;
  table_.node = std::move(node);
  node_changed_ = true;
}

TableDelta TableBuilder::rebuild(const std::set<kube::ObjectKey> &services,
                                 const Sources &sources) {
  // Everything is released before anything is acquired, so that a set that moves from one Service
  // to another, or changes under all its users at once, keeps its id.
  std::map<kube::ObjectKey, std::vector<BuiltPort>> previous;
  for (const auto &key : services)
    if (auto built = built_.extract(key)) {
      release(key, built.mapped());
      previous.insert(std::move(built));
    }
  for (const auto &key : services)
    build(key, plan(key, sources), previous[key]);
  TableDelta delta;
  sets_.finish(delta);
  finish_frontends(delta);
  if (std::exchange(node_changed_, false))
    delta.node = table_.node;
  return delta;
}

std::vector<TableBuilder::PlannedPort> TableBuilder::plan(const kube::ObjectKey &key,
                                                          const Sources &sources) const {
  std::vector<PlannedPort> ports;
  const auto *view = sources.services.find(key);
  if (!view)
    return ports;
  for (const auto &port : view->ports) {
    PlannedPort planned{{key.namespace_, key.name, port.name, port.protocol}, {}, {}};
    planned.selection = select(
        sources.endpoints.endpoints_of(key, port),
        {view->uses_cluster_endpoints(port), view->uses_local_endpoints(port)}, sources.topology);
    for (auto &plan : plan_frontends(key, *view, port, planned.selection, table_.node))
      if (!supported_ || supported_(plan.frontend, plan.info))
        planned.plans.push_back(std::move(plan));
    ports.push_back(std::move(planned));
  }
  return ports;
}

void TableBuilder::build(const kube::ObjectKey &key, std::vector<PlannedPort> ports,
                         const std::vector<BuiltPort> &previous) {
  std::vector<BuiltPort> built;
  for (auto &port : ports) {
    const auto same = [&](const BuiltPort &other) {
      return other.port == port.name.port && other.protocol == port.name.protocol;
    };
    const auto found = std::find_if(previous.begin(), previous.end(), same);
    built.push_back(build_port(std::move(port), found == previous.end() ? nullptr : &*found));
  }
  if (!built.empty())
    built_.insert_or_assign(key, std::move(built));
}

TableBuilder::BuiltPort TableBuilder::build_port(PlannedPort port, const BuiltPort *previous) {
  BuiltPort built{port.name.port, port.name.protocol, {}, {}, {}};
  const auto before = previous ? *previous : BuiltPort{};
  if (uses(port.plans, EndpointList::cluster))
    built.cluster = sets_.acquire(std::move(port.selection.cluster), before.cluster,
                                  owner_of(port.name, "cluster"));
  if (uses(port.plans, EndpointList::local))
    built.local =
        sets_.acquire(std::move(port.selection.local), before.local, owner_of(port.name, "local"));
  const auto id_of = [&](EndpointList list) {
    return list == EndpointList::local ? built.local : built.cluster;
  };
  built.frontends.reserve(port.plans.size());
  for (auto &plan : port.plans) {
    plan.info.from_pod.backends = id_of(plan.from_pod);
    plan.info.from_node.backends = id_of(plan.from_node);
    plan.info.from_outside.backends = id_of(plan.from_outside);
    built.frontends.emplace_back(plan.frontend, plan.info.kind);
    claim(plan.frontend, std::move(plan.info));
  }
  return built;
}

void TableBuilder::release(const kube::ObjectKey &key, const std::vector<BuiltPort> &ports) {
  for (const auto &port : ports) {
    const ServicePortName name{key.namespace_, key.name, port.port, port.protocol};
    sets_.release(port.cluster);
    sets_.release(port.local);
    for (const auto &[frontend, kind] : port.frontends)
      withdraw(frontend, {rank_of(kind), name});
  }
}

void TableBuilder::claim(const Frontend &frontend, FrontendInfo info) {
  remember(frontend);
  const auto [held, is_free] = table_.frontends.try_emplace(frontend, info);
  if (is_free)
    return;
  Claim ours{rank_of(info.kind), info.service};
  Claim theirs{rank_of(held->second.kind), held->second.service};
  if (ours < theirs)
    losers_[frontend].insert_or_assign(std::move(theirs),
                                       std::exchange(held->second, std::move(info)));
  else if (theirs < ours)
    losers_[frontend].insert_or_assign(std::move(ours), std::move(info));
}

void TableBuilder::withdraw(const Frontend &frontend, const Claim &claim) {
  remember(frontend);
  const auto losers = losers_.find(frontend);
  const auto held = table_.frontends.find(frontend);
  if (held != table_.frontends.end() &&
      Claim{rank_of(held->second.kind), held->second.service} == claim) {
    if (losers == losers_.end()) {
      table_.frontends.erase(held);
      return;
    }
    held->second = std::move(losers->second.begin()->second);
    losers->second.erase(losers->second.begin());
  } else if (losers != losers_.end()) {
    losers->second.erase(claim);
  }
  if (losers != losers_.end() && losers->second.empty())
    losers_.erase(losers);
}

void TableBuilder::remember(const Frontend &frontend) {
  const auto held = table_.frontends.find(frontend);
  before_.try_emplace(frontend,
                      held == table_.frontends.end() ? std::nullopt : std::optional(held->second));
}

void TableBuilder::finish_frontends(TableDelta &delta) {
  for (auto &[frontend, before] : before_) {
    const auto now = table_.frontends.find(frontend);
    if (now == table_.frontends.end()) {
      if (before)
        delta.removeFrontends.push_back(frontend);
    } else if (!before || !(*before == now->second)) {
      delta.setFrontends.emplace(frontend, now->second);
    }
  }
  before_.clear();
}

} // namespace sluice::proxy
