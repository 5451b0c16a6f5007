#include "proxy/ipvs/servers.hpp"

namespace sluice::proxy::ipvs {

using namespace kernel::ipvs;

namespace {

/// Without fallback they refuse the clients whose endpoint has weight 0.
std::uint32_t usual_flags(const std::string &scheduler) {
  if (scheduler == "sh")
    return kHashFallback;
  return scheduler == "mh" ? kHashFallback | kHashPorts : 0;
}

} // namespace

Servers::Servers(Family family, const Options &options)
    : family_(family), options_(options),
      weight_(options.scheduler == "ovf" ? kOverflowWeight : 1U) {}

Service Servers::service_of(Mark mark) const {
  return {.id = id_of(mark),
          .scheduler = options_.scheduler,
          .flags = options_.schedulerFlags.value_or(usual_flags(options_.scheduler))};
}

bool Servers::is_unfit(Mark mark, const std::set<SocketAddress> &endpoints) const {
  const auto actual = actual_.find(mark);
  if (actual == actual_.end())
    return false;
  const auto &weights = actual->second.weights;
  return !(actual->second.service == service_of(mark)) ||
         (chooses_weight_zero(options_) &&
          std::any_of(weights.begin(), weights.end(),
                      [&](const auto &one) { return endpoints.count(one.first) == 0; }));
}

void Servers::found(Mark mark, Found found) {
  actual_[mark] = std::move(found);
  changed_.insert(mark);
}

void Servers::want(Mark mark, Protocol protocol, std::set<SocketAddress> endpoints) {
  wanted_[mark] = {protocol, std::move(endpoints)};
  changed_.insert(mark);
  change_predecessors(mark);
}

void Servers::retire(Mark mark) {
  wanted_.erase(mark);
  changed_.insert(mark);
  change_predecessors(mark);
}

void Servers::replaced(Mark mark, Mark by) {
  successors_[mark] = by;
  changed_.insert(mark);
}

void Servers::change_predecessors(Mark mark) {
  for (const auto &[old, by] : successors_)
    if (by == mark)
      changed_.insert(old);
}

Servers::Plan Servers::plan(Clock::time_point now) {
  Plan plan;
  for (const auto mark : std::exchange(changed_, {}))
    plan_service(mark, now, plan);
  return plan;
}

void Servers::plan_service(Mark mark, Clock::time_point now, Plan &plan) {
  const auto wanted = wanted_.find(mark);
  if (wanted == wanted_.end()) {
    if (const auto actual = actual_.find(mark); actual != actual_.end()) {
      plan_gone(mark, actual->second, {}, now, plan);
      remove_if_done(mark, plan);
    }
    return;
  }
  const auto service = service_of(mark);
  const auto [actual, is_new] = actual_.try_emplace(mark);
  auto &found = actual->second;
  if (is_new) {
    plan.created.emplace(mark, wanted->second.protocol);
    plan.before.push_back(AddService{service});
  }
  found.service = service;
  found.protocol = wanted->second.protocol;
  for (const auto &endpoint : wanted->second.endpoints) {
    const auto [weight, added] = found.weights.try_emplace(endpoint, weight_);
    const Destination destination{.address = endpoint, .weight = weight_};
    if (added)
      plan.before.push_back(AddDestination{service.id, destination});
    else if (weight->second != weight_)
      plan.before.push_back(EditDestination{service.id, destination});
    weight->second = weight_;
    draining_.erase({mark, endpoint});
  }
  plan_gone(mark, found, wanted->second.endpoints, now, plan);
}

void Servers::plan_gone(Mark mark, Found &found, const std::set<SocketAddress> &stay,
                        Clock::time_point now, Plan &plan) {
  for (auto at = found.weights.begin(); at != found.weights.end();) {
    const auto &[endpoint, weight] = *at;
    if (stay.count(endpoint) != 0) {
      ++at;
    } else if (goes_at_once(mark, found, endpoint)) {
      plan.after.push_back(RemoveDestination{id_of(mark), endpoint});
      draining_.erase({mark, endpoint});
      at = found.weights.erase(at);
    } else {
      if (weight != 0)
        plan.after.push_back(EditDestination{id_of(mark), {.address = endpoint, .weight = 0}});
      draining_.try_emplace({mark, endpoint}, now);
      (at++)->second = 0;
    }
  }
}

bool Servers::goes_at_once(Mark mark, const Found &found, const SocketAddress &endpoint) const {
  if (found.protocol != Protocol::udp)
    return false;
  if (wanted_.count(mark) != 0)
    return true;
  for (auto by = successors_.find(mark); by != successors_.end(); by = successors_.find(by->second))
    if (const auto wanted = wanted_.find(by->second); wanted != wanted_.end())
      return wanted->second.endpoints.count(endpoint) == 0;
  return true;
}

void Servers::remove_if_done(Mark mark, Plan &plan) {
  const auto actual = actual_.find(mark);
  if (actual == actual_.end() || wanted_.count(mark) != 0 || !actual->second.weights.empty())
    return;
  plan.after.push_back(RemoveService{id_of(mark)});
  plan.removed.push_back(mark);
  actual_.erase(actual);
  successors_.erase(mark);
}

bool Servers::is_over(const DrainKey &key, Clock::time_point since, Clock::time_point now) const {
  const auto found = actual_.find(key.first);
  const auto limit = found != actual_.end() && found->second.protocol == Protocol::sctp
                         ? options_.sctpDrainLimit
                         : options_.tcpDrainLimit;
  return limit && now - since >= *limit;
}

Result<Servers::Plan> Servers::reap(Ipvs &ipvs, Clock::time_point now) {
  Plan plan;
  std::set<Mark> marks;
  for (const auto &[key, since] : draining_)
    marks.insert(key.first);
  for (const auto mark : marks) {
    const auto read = ipvs.read_destinations(id_of(mark));
    if (!read)
      continue; // somebody removed it: the comparison with the kernel tells
    for (const auto &info : *read) {
      const DrainKey key{mark, info.destination.address};
      const auto draining = draining_.find(key);
      if (draining == draining_.end() ||
          (info.active + info.inactive != 0 && !is_over(key, draining->second, now)))
        continue;
      plan.after.push_back(RemoveDestination{id_of(mark), key.second});
      actual_.at(mark).weights.erase(key.second);
      draining_.erase(draining);
    }
    remove_if_done(mark, plan);
  }
  return plan;
}

std::vector<DrainingEndpoint> Servers::draining() const {
  std::map<std::pair<SocketAddress, Protocol>, Clock::time_point> since;
  for (const auto &[key, begun] : draining_) {
    const auto &[mark, endpoint] = key;
    const auto at = since.try_emplace({endpoint, actual_.at(mark).protocol}, begun).first;
    at->second = std::min(at->second, begun);
  }
  std::vector<DrainingEndpoint> endpoints;
  for (const auto &[endpoint, begun] : since)
    endpoints.push_back({endpoint.first, endpoint.second, begun});
  return endpoints;
}

} // namespace sluice::proxy::ipvs
