#include "kernel/fake/rtnl.hpp"

#include <algorithm>
#include <cerrno>

namespace sluice::kernel::fake {
namespace {

constexpr std::uint8_t kProtocolKernel = 2; // RTPROT_KERNEL
constexpr std::uint8_t kScopeLink = 253;
constexpr std::uint8_t kBlackhole = 6;
constexpr std::uint32_t kIpv6Metric = 1024; // IP6_RT_PRIO_USER
constexpr std::uint32_t kIpv6ConnectedMetric = 256;

/// What the kernel stores when it is asked for `route`.
Route as_stored(Route route) {
  if (!route.destination.address().is_v4()) {
    route.scope = 0;
    if (route.priority == 0)
      route.priority = kIpv6Metric;
  }
  return route;
}

bool same_slot(const Route &a, const Route &b) {
  return a.destination == b.destination && a.table == b.table && a.priority == b.priority;
}

/// Whether a RTM_DELROUTE for `asked` would take `held`.
bool matches(const Route &held, const Route &asked) {
  return held.destination == asked.destination && held.table == asked.table &&
         held.type == asked.type && (asked.protocol == 0 || held.protocol == asked.protocol) &&
         (!asked.gateway || held.gateway == asked.gateway) &&
         (asked.link.value == 0 || held.link == asked.link) &&
         (!asked.preferred_source || held.preferred_source == asked.preferred_source) &&
         (asked.priority == 0 || held.priority == asked.priority);
}

Route connected_route(const LinkAddress &a) {
  const bool v4 = a.address.ip.is_v4();
  Route route;
  route.destination = a.address.network();
  route.link = a.link;
  route.protocol = kProtocolKernel;
  route.scope = v4 ? kScopeLink : std::uint8_t{0};
  route.priority = v4 ? 0 : kIpv6ConnectedMetric;
  if (v4)
    route.preferred_source = a.address.ip;
  return route;
}

} // namespace

struct Rtnl::Operation {
  Rtnl &state;

  Link *find(const LinkRef &ref) const {
    for (auto &[index, link] : state.links_)
      if (ref == LinkRef(index) || ref == LinkRef(link.name))
        return &link;
    return nullptr;
  }

  Link &add_link(const std::string &name, const std::string &kind,
                 std::optional<IfIndex> index) const {
    Link link;
    link.index = index.value_or(IfIndex(state.next_index_));
    state.next_index_ = std::max(state.next_index_, link.index.value + 1);
    link.name = name;
    link.kind = kind;
    link.mac = MacAddress::from_seed(link.index.value);
    link.mtu_bytes = 1500;
    return state.links_[link.index] = link;
  }

  int operator()(const CreateBridge &op) const {
    if (find(op.name))
      return EEXIST;
    auto &link = add_link(op.name, "bridge", std::nullopt);
    link.up = op.up;
    link.alias = op.alias;
    link.netfilter = op.netfilter;
    if (op.vlan_filtering)
      link.vlan_filtering = true;
    if (op.mtu_bytes != 0)
      link.mtu_bytes = op.mtu_bytes;
    link.mac = op.mac.value_or(link.mac);
    return 0;
  }

  int operator()(const CreateVeth &op) const {
    if (find(op.name) || (op.index && find(*op.index)))
      return EEXIST;
    if (!op.peer_netns_fd && (find(op.peer_name) || op.peer_name == op.name))
      return EEXIST;
    const auto *master = op.master ? find(*op.master) : nullptr;
    if (op.master && !master)
      return ENODEV;
    const auto dress = [&](Link &link, const std::optional<MacAddress> &mac) {
      if (op.mtu_bytes != 0)
        link.mtu_bytes = op.mtu_bytes;
      link.mac = mac.value_or(link.mac);
    };
    std::optional<IfIndex> peer_index;
    if (!op.peer_netns_fd) {
      auto &peer = add_link(op.peer_name, "veth", std::nullopt);
      dress(peer, op.peer_mac);
      peer_index = peer.index;
    }
    auto &link = add_link(op.name, "veth", op.index);
    dress(link, op.mac);
    link.up = op.up;
    link.alias = op.alias;
    link.peer = peer_index.value_or(IfIndex(2));
    if (peer_index)
      state.links_.at(*peer_index).peer = link.index;
    else
      link.peer_netns_id = 0;
    if (master)
      link.master = master->index;
    return 0;
  }

  int operator()(const SetLink &op) const {
    auto *link = find(op.link);
    if (!link)
      return ENODEV;
    if (op.new_name && *op.new_name != link->name && find(*op.new_name))
      return EEXIST;
    const auto *master = op.master ? find(*op.master) : nullptr;
    const bool release = op.master == LinkRef(IfIndex(0));
    if (op.master && !release && !master)
      return ENODEV;
    if (release)
      link->master.reset();
    else if (master)
      link->master = master->index;
    // Port flags of what is no port: rtnetlink knows no such change.
    if ((op.hairpin || op.isolated) && !link->master)
      return EINVAL;
    if (op.netfilter && link->kind != "bridge")
      return EINVAL;
    link->netfilter = op.netfilter.value_or(link->netfilter);
    link->name = op.new_name.value_or(link->name);
    link->alias = op.alias.value_or(link->alias);
    link->mac = op.mac.value_or(link->mac);
    link->mtu_bytes = op.mtu_bytes.value_or(link->mtu_bytes);
    link->promiscuous = op.promiscuous.value_or(link->promiscuous);
    link->all_multicast = op.all_multicast.value_or(link->all_multicast);
    link->tx_queue_packets = op.tx_queue_packets.value_or(link->tx_queue_packets);
    link->hairpin = link->master ? op.hairpin.value_or(link->hairpin) : false;
    link->isolated = link->master ? op.isolated.value_or(link->isolated) : false;
    if (op.up && *op.up != link->up)
      set_up(*link, *op.up);
    return 0;
  }

  void set_up(Link &link, bool up) const {
    link.up = up;
    if (!up)
      std::erase_if(state.routes_, [&](const Route &r) { return r.link == link.index; });
    else
      for (const auto &a : state.addresses_)
        if (a.link == link.index)
          connect(a);
  }
  void connect(const LinkAddress &a) const {
    if (a.address.prefix_length < a.address.ip.bits())
      state.routes_.push_back(connected_route(a));
  }

  void remove_link(IfIndex index) const {
    state.links_.erase(index);
    std::erase_if(state.addresses_, [&](const LinkAddress &a) { return a.link == index; });
    std::erase_if(state.routes_, [&](const Route &r) { return r.link == index; });
    std::erase_if(state.neighbours_, [&](const Neighbour &n) { return n.link == index; });
    for (auto &[other, link] : state.links_)
      if (link.master == index)
        link.master.reset();
  }
  int operator()(const DeleteLink &op) const {
    const auto *link = find(op.link);
    if (!link)
      return ENODEV;
    if (link->name == "lo")
      return EOPNOTSUPP;
    const auto index = link->index;
    const auto peer = link->kind == "veth" && !link->peer_netns_id ? link->peer : std::nullopt;
    remove_link(index);
    if (peer)
      remove_link(*peer);
    return 0;
  }

  int operator()(const AddAddress &op) const {
    const auto *link = find(op.link);
    if (!link)
      return ENODEV;
    const LinkAddress wanted{link->index, op.address, op.scope, 0};
    for (const auto &a : state.addresses_)
      if (a.link == wanted.link && a.address == wanted.address)
        return op.replace ? 0 : EEXIST;
    state.addresses_.push_back(wanted);
    if (link->up && !op.noprefixroute)
      connect(wanted);
    return 0;
  }
  int operator()(const DeleteAddress &op) const {
    const auto *link = find(op.link);
    if (!link)
      return ENODEV;
    const auto removed = std::erase_if(state.addresses_, [&](const LinkAddress &a) {
      return a.link == link->index && a.address == op.address;
    });
    if (removed == 0)
      return EADDRNOTAVAIL;
    const auto gone = connected_route({link->index, op.address, 0, 0});
    std::erase_if(state.routes_, [&](const Route &r) {
      return r == gone || (r.link == gone.link && r.preferred_source == op.address.ip);
    });
    return 0;
  }

  /// The link behind which `gateway` is a neighbour.
  const Link *link_towards(const IpAddress &gateway, IfIndex only) const {
    for (const auto &route : state.routes_)
      if (!route.gateway && route.type != kBlackhole && route.destination.contains(gateway) &&
          (only.value == 0 || route.link == only))
        return find(route.link);
    return nullptr;
  }
  bool is_own(const IpAddress &ip) const {
    return std::any_of(state.addresses_.begin(), state.addresses_.end(),
                       [&](const LinkAddress &a) { return a.address.ip == ip; });
  }

  int operator()(const AddRoute &op) const {
    auto route = as_stored(op.route);
    const bool v4 = route.destination.address().is_v4();
    const auto *link = route.link.value != 0 ? find(route.link) : nullptr;
    if (route.link.value == 0 && op.link_name)
      link = find(*op.link_name);
    const bool looks_up_gateway = route.gateway && !route.onlink;
    // IPv4 asks where the gateway is before it looks at the link.
    if (!v4 || !looks_up_gateway) {
      if ((route.link.value != 0 || op.link_name) && !link)
        return ENODEV;
      if (link && !link->up)
        return ENETDOWN;
    }
    if (looks_up_gateway) {
      const auto *towards = link_towards(*route.gateway, link ? link->index : route.link);
      if (!towards)
        return v4 ? ENETUNREACH : EHOSTUNREACH;
      link = towards;
    }
    if (!link && route.type != kBlackhole)
      return ENODEV;
    if (route.preferred_source && !is_own(*route.preferred_source))
      return EINVAL;
    route.link = link ? link->index : IfIndex(0);
    return store(route, op.existing);
  }
  int store(const Route &route, Existing existing) const {
    const auto held = std::find_if(state.routes_.begin(), state.routes_.end(),
                                   [&](const Route &r) { return same_slot(r, route); });
    if (held != state.routes_.end() && existing == Existing::refuse)
      return EEXIST;
    if (held != state.routes_.end() && existing == Existing::replace)
      *held = route;
    else
      state.routes_.push_back(route);
    return 0;
  }
  int operator()(const DeleteRoute &op) const {
    const auto held = std::find_if(state.routes_.begin(), state.routes_.end(),
                                   [&](const Route &r) { return matches(r, op.route); });
    if (held == state.routes_.end())
      return ESRCH;
    state.routes_.erase(held);
    return 0;
  }

  static bool same_neighbour(const Neighbour &a, const Neighbour &b) {
    return a.link == b.link && a.ip == b.ip && a.proxy == b.proxy;
  }
  int operator()(const AddNeighbour &op) const {
    if (!find(op.neighbour.link))
      return ENODEV;
    std::erase_if(state.neighbours_,
                  [&](const Neighbour &n) { return same_neighbour(n, op.neighbour); });
    state.neighbours_.push_back(op.neighbour);
    return 0;
  }
  // The memberships themselves are not kept: nothing reads them back.
  int operator()(const AddPortVlan &op) const { return change_vlans(op.port); }
  int operator()(const DeletePortVlan &op) const { return change_vlans(op.port); }
  int change_vlans(const LinkRef &port) const {
    const auto *link = find(port);
    if (!link)
      return ENODEV;
    return link->master ? 0 : EOPNOTSUPP;
  }

  int operator()(const DeleteNeighbour &op) const {
    if (!find(op.neighbour.link))
      return ENODEV;
    const auto removed = std::erase_if(
        state.neighbours_, [&](const Neighbour &n) { return same_neighbour(n, op.neighbour); });
    return removed == 0 ? ENOENT : 0;
  }
};

Rtnl::Rtnl() {
  Link lo;
  lo.index = IfIndex(1);
  lo.name = "lo";
  lo.mtu_bytes = 65536;
  lo.up = true;
  links_[lo.index] = lo;
}

Result<std::vector<Refusal>> Rtnl::apply_each(const RtnlBatch &batch) {
  std::vector<Refusal> refused;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.has_barrier_before(i) && !refused.empty())
      break;
    const auto &op = batch.ops()[i];
    const auto forced = failures_.find(tried_++);
    if (const int err =
            forced != failures_.end() ? forced->second : std::visit(Operation{*this}, op);
        err != 0)
      refused.push_back({i, Error::from_errno(err, to_string(op))});
  }
  return refused;
}

Result<std::vector<Link>> Rtnl::read_links() {
  std::vector<Link> links;
  for (const auto &[index, link] : links_)
    links.push_back(link);
  return links;
}

Result<Link> Rtnl::read_link(const LinkRef &link) {
  if (const auto *found = Operation{*this}.find(link))
    return *found;
  return fail(Error::from_errno(ENODEV, "read a link"));
}

Result<std::vector<LinkAddress>> Rtnl::read_addresses() { return addresses_; }

Result<std::vector<Route>> Rtnl::read_routes(Family family) {
  std::vector<Route> routes;
  std::copy_if(routes_.begin(), routes_.end(), std::back_inserter(routes),
               [&](const Route &r) { return r.destination.family() == family; });
  return routes;
}

Result<std::vector<Neighbour>> Rtnl::read_neighbours(Family family) {
  std::vector<Neighbour> neighbours;
  std::copy_if(neighbours_.begin(), neighbours_.end(), std::back_inserter(neighbours),
               [&](const Neighbour &n) { return n.ip.family() == family; });
  return neighbours;
}

} // namespace sluice::kernel::fake
