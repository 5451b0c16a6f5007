// Topology hints: which ready endpoints a node uses.

#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

struct Hinted {
  const char *name;
  std::vector<std::string> zones, nodes = {};
  bool ready = true, draining = false;
};

std::vector<Endpoint> endpoints_of(const std::vector<Hinted> &hinted) {
  std::vector<Endpoint> out;
  for (std::size_t i = 0; i < hinted.size(); ++i) {
    EndpointState state;
    state.ready = hinted[i].ready && !hinted[i].draining;
    state.serving = hinted[i].ready || hinted[i].draining;
    state.terminating = hinted[i].draining;
    if (!hinted[i].zones.empty() || !hinted[i].nodes.empty())
      state.hints =
          std::make_shared<const EndpointHints>(EndpointHints{hinted[i].zones, hinted[i].nodes});
    out.push_back(
        {{IpAddress::from_v4(0x0a000001U + static_cast<std::uint32_t>(i)), Port{80}}, state});
  }
  return out;
}

std::string chosen(const std::vector<Hinted> &hinted, const Topology &topology) {
  const auto selection = select(endpoints_of(hinted), {true, false}, topology);
  std::string names;
  for (const auto &backend : selection.cluster)
    names += (names.empty() ? "" : " ") +
             std::string(hinted[backend.address.ip.v4() - 0x0a000001U].name);
  return names;
}

TEST(proxy_selection, topology_hints) {
  const std::vector<Hinted> zones = {{"A1", {"a"}}, {"B1", {"b"}}, {"C1", {"c"}}, {"A2", {"a"}}};
  auto a2_unready = zones, a_unready = zones, c1_plain = zones, draining = zones, all_drain = zones;
  a2_unready[3].ready = false;
  a_unready[0].ready = a_unready[3].ready = false;
  c1_plain[2].zones.clear();
  draining[0].draining = draining[3].draining = true;
  for (auto &endpoint : all_drain)
    endpoint.draining = true;
  const std::vector<Hinted> nodes = {
      {"A1", {"a"}, {"n1"}}, {"B1", {"b"}, {"n2"}}, {"C1", {"c"}, {"n3"}}, {"A2", {"a"}, {"n4"}}};
  auto b1_plain = nodes;
  b1_plain[1] = {"B1", {}};
  const std::vector<Hinted> several = {
      {"1", {"a", "b", "c"}}, {"2", {"b", "c"}}, {"3", {"b", "d"}}, {"4", {"c"}}};
  const struct {
    const char *number;
    std::vector<Hinted> endpoints;
    Topology topology;
    const char *chosen;
    int line;
  } kCases[] = {
      {"7.01", zones, {"n1", "a"}, "A1 A2", __LINE__},
      {"7.02 no zone", zones, {"n1", ""}, "A1 B1 C1 A2", __LINE__},
      {"7.04 a zone without endpoints", zones, {"n1", "d"}, "A1 B1 C1 A2", __LINE__},
      {"7.05", a2_unready, {"n1", "a"}, "A1", __LINE__},
      {"7.06", a_unready, {"n1", "a"}, "B1 C1", __LINE__},
      {"7.07 one ready endpoint has no hint", c1_plain, {"n1", "a"}, "A1 B1 C1 A2", __LINE__},
      {"7.09", several, {"n1", "c"}, "1 2 4", __LINE__},
      {"7.10 hints for nodes", nodes, {"n1", "a"}, "A1", __LINE__},
      {"7.11", b1_plain, {"n1", "a"}, "A1 B1 C1 A2", __LINE__},
      {"7.12 no hint for this node: zones", nodes, {"n0", "a"}, "A1 A2", __LINE__},
      {"7.24", draining, {"n1", "a"}, "B1 C1", __LINE__},
      {"7.25 all drain: hints do not count", all_drain, {"n1", "a"}, "A1 B1 C1 A2", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.number) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(chosen(c.endpoints, c.topology), c.chosen);
  }
}

TEST(proxy_selection, the_reason_names_the_zone) {
  const auto endpoints = endpoints_of({{"A1", {"a"}}, {"B1", {"b"}}});
  const Topology topology{"n1", "a"};
  const auto selection = select(endpoints, {true, false}, topology);
  EXPECT_EQ(reason_left_out(endpoints[0], false, selection, topology), "");
  EXPECT_EQ(reason_left_out(endpoints[1], false, selection, topology),
            "hinted for other zones than \"a\"");
}

} // namespace
} // namespace sluice::proxy
