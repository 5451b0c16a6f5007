#include "proxy/ipvs/mirror.hpp"

namespace sluice::proxy::ipvs {

using namespace kernel::nft;

namespace {

constexpr std::array kProtocols{Protocol::tcp, Protocol::udp, Protocol::sctp};

std::set<SocketAddress> addresses_of(const BackendSet &backends) {
  std::set<SocketAddress> addresses;
  for (const auto &backend : backends)
    addresses.insert(backend.address);
  return addresses;
}

Value hairpin_key(const IpAddress &ip) { return Value().put(ip).put(ip); }

} // namespace

Mirror::Mirror(Family family, const Options &options, Remembered remembered)
    : family_(family), options_(options), remembered_(std::move(remembered)),
      servers_(family, options) {
  table_.family = family;
}

void Mirror::load(const Table &table) {
  set_node(table.node);
  for (const auto &[id, backends] : table.backendSets)
    bring_backends(id, backends);
  for (const auto &[frontend, info] : table.frontends)
    bring(frontend, info);
  table_ = table;
  retire_unused();
}

void Mirror::change(const TableDelta &given) {
  const bool renews = chooses_weight_zero(options_);
  const auto widened = renews ? std::optional(with_frontends_of_shrunk_sets(given)) : std::nullopt;
  const auto &delta = widened ? *widened : given;
  const auto withdraw_if_there = [&](const Frontend &frontend) {
    if (const auto found = table_.frontends.find(frontend); found != table_.frontends.end())
      withdraw(frontend, found->second);
  };
  for (const auto &frontend : delta.removeFrontends)
    withdraw_if_there(frontend);
  for (const auto &[frontend, info] : delta.setFrontends)
    withdraw_if_there(frontend);
  const auto retired = renews ? retire_unused() : std::map<ServerKey, Mark>{};
  for (const auto id : delta.removeBackends)
    withdraw_backends(id, backends_of(id));
  for (const auto &[id, backends] : delta.setBackends) {
    withdraw_backends(id, backends_of(id));
    bring_backends(id, backends);
  }
  apply_delta(table_, delta);
  if (delta.node)
    set_node(*delta.node);
  for (const auto &[frontend, info] : delta.setFrontends)
    bring(frontend, info);
  for (const auto &[key, mark] : retired)
    if (const auto found = server_of_.find(key); found != server_of_.end())
      servers_.replaced(mark, found->second.mark);
  retire_unused();
}

/// Withdrawn and brought again, they get another virtual service.
TableDelta Mirror::with_frontends_of_shrunk_sets(TableDelta delta) const {
  std::set<BackendSetId> shrunk;
  for (const auto &[id, backends] : delta.setBackends)
    for (const auto stay = addresses_of(backends); const auto &backend : backends_of(id))
      if (stay.count(backend.address) == 0)
        shrunk.insert(id);
  const std::set<Frontend> gone(delta.removeFrontends.begin(), delta.removeFrontends.end());
  for (const auto &[frontend, info] : table_.frontends)
    for (const auto source : kSources)
      if (gone.count(frontend) == 0 && shrunk.count(path_of(info, source).backends) != 0)
        delta.setFrontends.emplace(frontend, info);
  return delta;
}

const BackendSet &Mirror::backends_of(BackendSetId id) const {
  static const BackendSet kNone;
  const auto found = table_.backendSets.find(id);
  return found == table_.backendSets.end() ? kNone : found->second;
}

void Mirror::set_node(const NodeInfo &node) {
  for (const auto &ip : node_port_ips_)
    contents_.drop(kNodePortIps, address(ip));
  node_port_ips_.clear();
  for (const auto &ip : node.nodePortAddresses)
    if (ip.family() == family_ && !ip.is_loopback() && node_port_ips_.insert(ip).second)
      contents_.add_key(kNodePortIps, address(ip));
}

// ---- backend sets ------------------------------------------------------------------------------

void Mirror::bring_backends(BackendSetId id, const BackendSet &backends) {
  for (const auto &backend : backends)
    if (backend.local)
      contents_.add_key(kHairpin, hairpin_key(backend.address.ip));
  table_.backendSets[id] = backends;
  for (const auto protocol : kProtocols) {
    const auto found = server_of_.find({id, protocol});
    if (found == server_of_.end())
      continue;
    servers_.want(found->second.mark, protocol, addresses_of(backends));
    if (found->second.affinity_users > 0)
      pin(found->first, found->second, backends);
  }
}

void Mirror::withdraw_backends(BackendSetId id, const BackendSet &backends) {
  for (const auto &backend : backends)
    if (backend.local)
      contents_.drop(kHairpin, hairpin_key(backend.address.ip));
  for (const auto protocol : kProtocols) {
    const auto found = server_of_.find({id, protocol});
    if (found != server_of_.end() && found->second.affinity_users > 0)
      unpin(found->second, backends);
  }
}

// ---- frontends ---------------------------------------------------------------------------------

void Mirror::bring(const Frontend &frontend, const FrontendInfo &info) {
  const auto key = frontend_key(family_, frontend);
  const auto hint = remembered_.frontends.find(key);
  std::array<Mark, 3> marks{};
  for (const auto source : kSources) {
    const auto at = static_cast<std::size_t>(source);
    if (const auto set = path_of(info, source).backends; set.value != 0)
      marks[at] = acquire({set, frontend.protocol}, info.affinity.has_value(),
                          hint == remembered_.frontends.end() ? 0 : hint->second[at]);
  }
  contents_.add(kFrontends, {.key = key, .data = frontend_data(info, marks)});
  if (info.kind == FrontendKind::cluster_ip && frontend.address)
    contents_.add_key(kClusterIps, address(*frontend.address));
  if (info.affinity) {
    const auto chain = remember_chain(*info.affinity);
    contents_.add_chain(chain, remember_rules(family_, *info.affinity));
    contents_.add(kTimeouts, {.key = number(static_cast<std::uint32_t>(info.affinity->count())),
                              .verdict = Verdict{VerdictCode::go_to, chain}});
  }
  if (!info.source_ranges.empty()) {
    contents_.add_chain(ranges_chain(frontend), ranges_rules(frontend, info.source_ranges));
    contents_.add(kRanges,
                  {.key = key, .verdict = Verdict{VerdictCode::jump, ranges_chain(frontend)}});
  }
}

void Mirror::withdraw(const Frontend &frontend, const FrontendInfo &info) {
  const auto key = frontend_key(family_, frontend);
  for (const auto source : kSources)
    if (const auto set = path_of(info, source).backends; set.value != 0)
      release({set, frontend.protocol}, info.affinity.has_value());
  contents_.drop(kFrontends, key);
  if (info.kind == FrontendKind::cluster_ip && frontend.address)
    contents_.drop(kClusterIps, address(*frontend.address));
  if (info.affinity) {
    contents_.drop_chain(remember_chain(*info.affinity));
    contents_.drop(kTimeouts, number(static_cast<std::uint32_t>(info.affinity->count())));
  }
  if (!info.source_ranges.empty()) {
    contents_.drop_chain(ranges_chain(frontend));
    contents_.drop(kRanges, key);
  }
}

// ---- virtual services --------------------------------------------------------------------------

Mark Mirror::acquire(const ServerKey &key, bool affinity, Mark hint) {
  auto &server = server_of_[key];
  if (server.mark == 0) {
    const auto endpoints = addresses_of(backends_of(key.set));
    const bool unfit = servers_.is_unfit(hint, endpoints);
    server.mark = allocate(unfit ? 0 : hint);
    servers_.want(server.mark, key.protocol, endpoints);
    if (unfit)
      servers_.replaced(hint, server.mark);
  }
  ++server.users;
  if (affinity && server.affinity_users++ == 0)
    pin(key, server, backends_of(key.set));
  return server.mark;
}

void Mirror::release(const ServerKey &key, bool affinity) {
  auto &server = server_of_.at(key);
  if (affinity && --server.affinity_users == 0)
    unpin(server, backends_of(key.set));
  if (--server.users == 0)
    unused_.insert(key);
}

void Mirror::pin(const ServerKey &key, const Server &server, const BackendSet &backends) {
  for (const auto &backend : backends) {
    const std::pair at{server.mark, backend.address};
    auto &pinned = pins_[at];
    if (pinned.mark == 0) {
      const auto hint = remembered_.pinned.find(at);
      const bool fits =
          hint != remembered_.pinned.end() && !servers_.is_unfit(hint->second, {backend.address});
      pinned.mark = allocate(fits ? hint->second : 0);
      servers_.want(pinned.mark, key.protocol, {backend.address});
    }
    ++pinned.users;
    contents_.add(kPinned,
                  {.key = pinned_key(server.mark, backend.address), .data = number(pinned.mark)});
  }
}

void Mirror::unpin(const Server &server, const BackendSet &backends) {
  for (const auto &backend : backends) {
    const std::pair at{server.mark, backend.address};
    contents_.drop(kPinned, pinned_key(server.mark, backend.address));
    if (--pins_.at(at).users == 0)
      unpinned_.insert(at);
  }
}

/// At the end of a change: what one frontend left, another may have taken.
std::map<Mirror::ServerKey, Mark> Mirror::retire_unused() {
  std::map<ServerKey, Mark> retired;
  for (const auto &at : std::exchange(unpinned_, {}))
    if (const auto found = pins_.find(at); found != pins_.end() && found->second.users == 0) {
      servers_.retire(found->second.mark);
      pins_.erase(found);
    }
  for (const auto &key : std::exchange(unused_, {}))
    if (const auto found = server_of_.find(key);
        found != server_of_.end() && found->second.users == 0) {
      servers_.retire(found->second.mark);
      retired.emplace(key, found->second.mark);
      server_of_.erase(found);
    }
  return retired;
}

Mark Mirror::allocate(Mark hint) {
  if (hint != 0 && remembered_.ours.count(hint) != 0 && reused_.insert(hint).second)
    return hint;
  for (;; ++next_) {
    if (next_ >= options_.establishedBit)
      next_ = 1;
    const Mark mark = options_.divertBit | next_;
    if (!servers_.is_known(mark) && remembered_.taken.insert(mark).second)
      return mark;
  }
}

} // namespace sluice::proxy::ipvs
