#pragma once
// Tables made by chance, and small ones made by hand.

#include "proxy/model/table.hpp"

#include <random>

namespace sluice::proxy::iptables::tests {

inline IpAddress ip(const std::string &text) { return *IpAddress::parse(text); }
inline SocketAddress at(const std::string &text) { return *SocketAddress::parse(text); }

inline Table empty_table(Family family) {
  Table table;
  table.family = family;
  const bool v4 = family == Family::ipv4;
  table.node.localDetector = {.kind = LocalDetector::Kind::cidr,
                              .cidrs = {*Cidr::parse(v4 ? "10.244.0.0/24" : "fd00:10:244::/64")}};
  table.node.serviceCidrs = {*Cidr::parse(v4 ? "10.96.0.0/16" : "fd00:10:96::/112")};
  table.node.nodeAddresses = {ip(v4 ? "192.0.2.1" : "2001:db8::1")};
  table.node.nodePortAddresses = table.node.nodeAddresses;
  return table;
}

/// Walks from one table to another, one random step at a time.
class RandomWalk {
public:
  RandomWalk(Family family, unsigned seed) : random_(seed), table_(empty_table(family)) {}

  const Table &table() const { return table_; }

  const Table &step() {
    switch (below(8)) {
    case 0:
      remove_service();
      break;
    case 1:
    case 2:
      change_endpoints();
      break;
    case 3:
      if (below(10) == 0)
        table_.node.anyNodePortAddress = !table_.node.anyNodePortAddress;
      break;
    default:
      add_service();
    }
    return table_;
  }

private:
  unsigned below(unsigned limit) {
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_);
  }
  bool chance() { return below(2) == 0; }
  bool v4() const { return table_.family == Family::ipv4; }

  IpAddress address_in(const std::string &range) { return ip(range).advanced(below(300) + 1); }

  BackendSet endpoints() {
    BackendSet set;
    for (auto count = 1 + below(5); count > 0; --count)
      set.push_back({{address_in(v4() ? "10.244.0.0" : "fd00:10:244::"), Port(8080)}, chance()});
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    return set;
  }

  TrafficPath path(bool masquerade) {
    if (below(4) == 0)
      return {BackendSetId(0), masquerade, chance() ? WhenEmpty::drop : WhenEmpty::reject};
    const BackendSetId id(next_set_++);
    table_.backendSets[id] = endpoints();
    return {id, masquerade, WhenEmpty::reject};
  }

  void add_service() {
    const ServicePortName name{"default", "s" + std::to_string(below(60)), "web",
                               chance() ? Protocol::tcp : Protocol::udp};
    const Port port(static_cast<std::uint16_t>(80 + below(3)));
    FrontendInfo info{.kind = FrontendKind::cluster_ip, .service = name};
    const auto cluster = path(false);
    info.from_pod = cluster;
    info.from_node = info.from_outside = {cluster.backends, true, cluster.whenEmpty};
    if (below(5) == 0)
      info.affinity = std::chrono::seconds(60);
    set({address_in(v4() ? "10.96.0.0" : "fd00:10:96::"), port, name.protocol}, info);
    if (chance())
      return;
    info.from_node = info.from_pod;
    info.from_node.masquerade = true;
    info.from_outside = chance() ? info.from_node : path(false);
    info.kind = FrontendKind::node_port;
    set({std::nullopt, Port(static_cast<std::uint16_t>(30000 + below(400))), name.protocol}, info);
    info.kind = FrontendKind::load_balancer;
    if (chance())
      info.source_ranges = {*Cidr::parse(v4() ? "198.51.100.0/24" : "2001:db8:1::/48")};
    set({address_in(v4() ? "203.0.113.0" : "2001:db8:2::"), port, name.protocol}, info);
  }

  void set(const Frontend &frontend, const FrontendInfo &info) {
    // As the model makes them: one route for all frontends of a kind.
    for (const auto &[other, of] : table_.frontends)
      if (of.service == info.service && of.kind == info.kind && !(other == frontend))
        return;
    table_.frontends[frontend] = info;
    collect();
  }

  void remove_service() {
    if (table_.frontends.empty())
      return;
    auto at = table_.frontends.begin();
    std::advance(at, below(static_cast<unsigned>(table_.frontends.size())));
    table_.frontends.erase(at);
    collect();
  }

  void change_endpoints() {
    if (table_.backendSets.empty())
      return;
    auto at = table_.backendSets.begin();
    std::advance(at, below(static_cast<unsigned>(table_.backendSets.size())));
    at->second = endpoints();
  }

  void collect() {
    std::set<BackendSetId> used;
    for (const auto &[frontend, info] : table_.frontends)
      for (const auto *of : {&info.from_pod, &info.from_node, &info.from_outside})
        used.insert(of->backends);
    for (auto at = table_.backendSets.begin(); at != table_.backendSets.end();)
      at = used.count(at->first) != 0 ? std::next(at) : table_.backendSets.erase(at);
  }

  std::mt19937 random_;
  Table table_;
  std::uint32_t next_set_ = 1;
};

} // namespace sluice::proxy::iptables::tests
