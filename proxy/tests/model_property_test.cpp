// Random histories of Services and EndpointSlices: whatever happened, the table is the one that
// somebody who sees only the last state would build, and the deltas lead there step by step.

#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>
#include <random>

namespace sluice::proxy {
namespace {

using Services = std::map<kube::ObjectKey, kube::Service>;
using Slices = std::map<kube::ObjectKey, kube::EndpointSlice>;

class History {
public:
  explicit History(unsigned seed) : random_(seed) {}

  Services services;
  Slices slices;

  /// One random change, told to `model`.
  void step(Model &model) {
    switch (below(5)) {
    case 0:
      return put_service(model);
    case 1:
      return remove_some(services, [&](const auto &key) { model.remove_service(key); });
    case 2:
      return remove_some(slices, [&](const auto &key) { model.remove_slice(key); });
    default:
      return put_slice(model);
    }
  }

  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

private:
  bool chance(unsigned percent) { return below(100) < percent; }
  std::string text(const char *stem, unsigned number) { return stem + std::to_string(number); }

  template <class Map, class Tell> void remove_some(Map &map, Tell tell) {
    if (map.empty())
      return;
    auto at = map.begin();
    std::advance(at, below(static_cast<unsigned>(map.size())));
    tell(at->first);
    map.erase(at);
  }

  void put_service(Model &model) {
    kube::Service service;
    service.metadata.namespace_ = "ns";
    service.metadata.name = text("svc", below(6));
    service.clusterIPs = {chance(5) ? "None" : text("172.30.0.", 1 + below(8))};
    service.type = chance(5) ? kube::ServiceType::ExternalName : kube::ServiceType::LoadBalancer;
    for (unsigned i = 0, n = 1 + below(3); i < n; ++i)
      service.ports.push_back({text("p", i),
                               below(2) != 0 ? Protocol::tcp : Protocol::udp,
                               static_cast<std::int32_t>(80 + below(3)),
                               static_cast<std::int32_t>(chance(50) ? 30000 + below(4) : 0),
                               {},
                               ""});
    if (chance(40))
      service.externalIPs = {text("192.0.2.", 1 + below(3)), text("172.30.0.", 1 + below(8))};
    if (chance(40))
      service.loadBalancerIngress = {{text("192.0.2.", 1 + below(3)), "", ""}};
    if (chance(30))
      service.externalTrafficPolicy = kube::TrafficPolicy::Local;
    if (chance(30))
      service.internalTrafficPolicy = kube::TrafficPolicy::Local;
    service.sessionAffinityClientIP = chance(20);
    model.update(service);
    services[{"ns", service.metadata.name}] = service;
  }

  void put_slice(Model &model) {
    kube::EndpointSlice slice;
    slice.metadata.namespace_ = "ns";
    slice.metadata.name = text("slice", below(10));
    slice.metadata.labels["kubernetes.io/service-name"] = text("svc", below(6));
    slice.addressType = chance(90) ? "IPv4" : "IPv6";
    for (unsigned i = 0; i < 3; ++i)
      slice.ports.push_back({text("p", i), chance(70) ? Protocol::tcp : Protocol::udp,
                             static_cast<std::int32_t>(8080 + below(2)), ""});
    for (unsigned i = 0, n = below(4); i < n; ++i) {
      kube::SliceEndpoint endpoint;
      endpoint.addresses = {text("10.0.0.", 1 + below(4))};
      endpoint.nodeName = chance(50) ? "n1" : "n2";
      const bool terminating = chance(25);
      endpoint.conditions = {!terminating && chance(80), chance(80), terminating};
      if (chance(30))
        endpoint.hintZones = {chance(50) ? "zone-a" : "zone-b"};
      slice.endpoints.push_back(endpoint);
    }
    model.update(slice);
    slices[{"ns", slice.metadata.name}] = slice;
  }

  std::mt19937 random_;
};

/// The table with each id replaced by what it stands for.
struct Resolved {
  std::map<Frontend, std::pair<FrontendInfo, std::array<BackendSet, 3>>> frontends;
  friend bool operator==(const Resolved &, const Resolved &) = default;
};

Resolved resolved(const Table &table) {
  Resolved out;
  for (const auto &[frontend, info] : table.frontends) {
    auto bare = info;
    std::array<BackendSet, 3> sets;
    std::size_t at = 0;
    for (auto *path : {&bare.from_pod, &bare.from_node, &bare.from_outside}) {
      if (path->backends.value != 0)
        sets[at] = table.backendSets.at(path->backends);
      ++at;
      path->backends = {};
    }
    out.frontends.emplace(frontend, std::pair(bare, sets));
  }
  return out;
}

/// Equal sets have one id, none is empty, and every path leads to one that exists.
void expect_sound(const Table &table) {
  std::set<BackendSet> contents;
  for (const auto &[id, set] : table.backendSets) {
    EXPECT_NE(id.value, 0U);
    EXPECT_FALSE(set.empty());
    EXPECT_TRUE(std::is_sorted(set.begin(), set.end()));
    EXPECT_TRUE(contents.insert(set).second) << "two ids for one set";
  }
  for (const auto &[frontend, info] : table.frontends)
    for (const auto &path : {info.from_pod, info.from_node, info.from_outside})
      EXPECT_TRUE(path.backends.value == 0 || table.backendSets.count(path.backends) == 1);
}

Table from_scratch(const History &history, const NodeInfo &node, const std::string &zone) {
  Model model(Family::ipv4, "n1");
  for (const auto &[key, slice] : history.slices)
    model.update(slice);
  for (const auto &[key, service] : history.services)
    model.update(service);
  model.set_node(node, zone);
  model.sync();
  return model.table();
}

TEST(proxy_model, any_history_ends_in_the_table_built_from_scratch) {
  const auto first = std::random_device{}();
  for (unsigned seed = first; seed < first + 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    Model model(Family::ipv4, "n1");
    auto node = test::node_n1();
    std::string zone = "zone-a";
    model.set_node(node, zone);
    Table followed;
    for (int round = 0; round < 60; ++round) {
      for (unsigned i = 0, n = 1 + history.below(4); i < n; ++i)
        history.step(model);
      if (history.below(15) == 0) {
        node.masqueradeAll = !node.masqueradeAll;
        zone = zone == "zone-a" ? "zone-b" : "zone-a";
        model.set_node(node, zone);
      }
      const auto change = model.sync();
      apply_delta(followed, change.delta);
      ASSERT_EQ(followed, model.table()) << "the delta does not lead to the table";
      ASSERT_EQ(resolved(model.table()), resolved(from_scratch(history, node, zone)));
      expect_sound(model.table());
      EXPECT_TRUE(model.sync().delta.empty()) << "nothing happened in between";
      if (::testing::Test::HasFailure())
        return;
    }
  }
}

TEST(proxy_model, delta_laws_hold_between_any_two_tables) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  History history(seed);
  Model model(Family::ipv4, "n1");
  std::vector<Table> tables{Table{}};
  for (int i = 0; i < 30; ++i) {
    for (int step = 0; step < 5; ++step)
      history.step(model);
    model.sync();
    tables.push_back(model.table());
  }
  for (const auto &from : tables) {
    EXPECT_TRUE(delta_between(from, from).empty());
    for (const auto &to : tables) {
      auto moved = from;
      apply_delta(moved, delta_between(from, to));
      EXPECT_EQ(moved, to);
    }
  }
}

TEST(proxy_model, a_service_that_goes_takes_everything_along) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  History history(seed);
  Model model(Family::ipv4, "n1");
  for (int i = 0; i < 200; ++i)
    history.step(model);
  model.sync();
  for (const auto &[key, service] : history.services)
    model.remove_service(key);
  model.sync();
  EXPECT_TRUE(model.table().frontends.empty());
  EXPECT_TRUE(model.table().backendSets.empty());
}

} // namespace
} // namespace sluice::proxy
