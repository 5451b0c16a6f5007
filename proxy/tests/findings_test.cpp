// The reasons beside the answers of the model.

#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using test::World;

Findings find(const World &world, const std::string &flow) {
  Model model(Family::ipv4, world.nodeName);
  model.set_node(world.node, world.zone);
  model.update(world.service);
  for (const auto &slice : world.slices)
    model.update(slice);
  model.sync();
  return model.find_out(world.flow(flow));
}

std::string left_out(const Findings &findings) {
  std::string text;
  for (const auto &endpoint : findings.endpoints)
    if (!endpoint.used)
      text += (text.empty() ? "" : "; ") + test::endpoint_name(endpoint.endpoint.address.ip) +
              ": " + endpoint.left_out;
  return text;
}

World with_policy(bool external_local, bool internal_local, const char *endpoints) {
  World world;
  world.service.externalTrafficPolicy =
      external_local ? kube::TrafficPolicy::Local : kube::TrafficPolicy::Cluster;
  world.service.internalTrafficPolicy =
      internal_local ? kube::TrafficPolicy::Local : kube::TrafficPolicy::Cluster;
  world.slices = {test::slice_of(world.service, endpoints)};
  return world;
}

TEST(proxy_findings, list_and_masquerading_have_their_reasons) {
  const struct {
    bool external_local, internal_local;
    const char *flow, *list, *list_reason, *masquerade;
    int line;
  } kCases[] = {
      {false, false, "P->C", "cluster", "internalTrafficPolicy is Cluster",
       "not masqueraded: the source is a pod of this node", __LINE__},
      {false, false, "X->C", "cluster", "internalTrafficPolicy is Cluster",
       "masqueraded: the source is no pod", __LINE__},
      {false, true, "P->C", "local", "internalTrafficPolicy is Local", "not masqueraded", __LINE__},
      {false, false, "X->LB", "cluster", "externalTrafficPolicy is Cluster",
       "masqueraded: externalTrafficPolicy is Cluster", __LINE__},
      {true, false, "X->LB", "local", "externalTrafficPolicy is Local",
       "not masqueraded: externalTrafficPolicy is Local", __LINE__},
      {true, false, "P->LB", "cluster", "a source on this node may go to any endpoint",
       "not masqueraded: the source is a pod", __LINE__},
      {true, false, "N->LB", "cluster", "a source on this node may go to any endpoint",
       "masqueraded: the source is this node itself", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto found = find(with_policy(c.external_local, c.internal_local, "L R"), c.flow);
    EXPECT_EQ(found.list, c.list);
    EXPECT_NE(found.list_reason.find(c.list_reason), std::string::npos) << found.list_reason;
    EXPECT_EQ(found.masquerade_reason.rfind(c.masquerade, 0), 0U) << found.masquerade_reason;
  }
}

TEST(proxy_findings, every_endpoint_that_is_left_out_has_a_reason) {
  const struct {
    bool external_local;
    const char *endpoints, *flow, *left_out;
  } kCases[] = {
      {false, "L R", "P->C", ""},
      {false, "L R/unready", "P->C", "R: not ready"},
      {false, "L R/st", "P->C", "R: terminating, and ready endpoints are left"},
      {false, "L R/tn", "P->C", "R: terminating and not serving any more"},
      {true, "L R", "X->LB", "R: on another node, and the traffic policy is Local"},
      {true, "L R", "P->LB", ""},
  };
  for (const auto &c : kCases)
    EXPECT_EQ(left_out(find(with_policy(c.external_local, false, c.endpoints), c.flow)), c.left_out)
        << c.endpoints << " " << c.flow;
}

World with_hints(std::vector<std::pair<std::string, std::string>> zones_and_nodes) {
  World world;
  world.slices = {test::slice_of(world.service, "L R")};
  for (std::size_t i = 0; i < zones_and_nodes.size(); ++i) {
    auto &endpoint = world.slices.front().endpoints[i];
    if (!zones_and_nodes[i].first.empty())
      endpoint.hintZones = {zones_and_nodes[i].first};
    if (!zones_and_nodes[i].second.empty())
      endpoint.hintNodes = {zones_and_nodes[i].second};
  }
  return world;
}

TEST(proxy_findings, hints_say_why_they_count_or_not) {
  auto no_zone = with_hints({{"zone-a", ""}, {"zone-b", ""}});
  no_zone.zone = "";
  const struct {
    World world;
    TopologyMode mode;
    const char *reason;
    int line;
  } kCases[] = {
      {with_hints({}), TopologyMode::none, "no ready endpoint has a hint", __LINE__},
      {with_hints({{"zone-a", ""}, {"zone-b", ""}}), TopologyMode::same_zone, "some for \"zone-a\"",
       __LINE__},
      {with_hints({{"zone-a", "n1"}, {"zone-b", "n2"}}), TopologyMode::same_node, "some for \"n1\"",
       __LINE__},
      {with_hints({{"zone-a", ""}, {"", ""}}), TopologyMode::none,
       "hints are ignored: ready endpoint 10.180.1.1:80 has none", __LINE__},
      {with_hints({{"zone-c", ""}, {"zone-b", ""}}), TopologyMode::none,
       "no ready endpoint is hinted for zone \"zone-a\"", __LINE__},
      {no_zone, TopologyMode::none, "no label topology.kubernetes.io/zone", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto found = find(c.world, "P->C");
    EXPECT_EQ(found.topology.mode, c.mode);
    EXPECT_NE(found.topology.reason.find(c.reason), std::string::npos) << found.topology.reason;
  }
}

TEST(proxy_findings, notes_tell_what_people_stumble_over) {
  auto proxied = test::World();
  proxied.service.loadBalancerIngress = {{"5.6.7.8", "", "Proxy"}};
  auto primary = test::World();
  primary.node.anyNodePortAddress = false;
  primary.node.nodePortAddresses = {test::ip("192.168.0.2")};
  auto sticky = test::World();
  sticky.service.sessionAffinityClientIP = true;
  const struct {
    World world;
    const char *flow, *verdict, *note;
    int line;
  } kCases[] = {
      {proxied, "P->LB2", "none", "ipMode Proxy: not captured", __LINE__},
      {primary, "X->N2:NP", "none", "nodePorts do not answer on 192.168.1.2", __LINE__},
      {World(), "P->C:81", "reject", "whose ports are p80 80/TCP", __LINE__},
      {sticky, "P->C", "translate", "session affinity ClientIP", __LINE__},
      {World(), "L->C", "translate", "(hairpin)", __LINE__},
      {with_policy(false, false, "L/st R/unready"), "P->C", "translate",
       "terminate and still serve", __LINE__},
      {with_policy(true, false, "R"), "X->LB", "drop", "DROP and not REJECT", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto found = find(c.world, c.flow);
    EXPECT_EQ(found.packet.verdict, c.verdict);
    EXPECT_TRUE(std::any_of(found.notes.begin(), found.notes.end(), [&](const std::string &note) {
      return note.find(c.note) != std::string::npos;
    })) << (found.notes.empty() ? "no notes" : found.notes.front());
  }
}

} // namespace
} // namespace sluice::proxy
