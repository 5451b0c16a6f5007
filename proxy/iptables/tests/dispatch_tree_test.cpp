#include "proxy/iptables/dispatch_tree.hpp"
#include "proxy/iptables/tests/random_table.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy::iptables {
namespace {

using tests::ip;

Frontend at(const std::string &address, std::uint16_t port) {
  return {ip(address), Port(port), Protocol::tcp};
}

using Tree = std::map<std::string, std::vector<std::string>>;

std::optional<std::vector<std::string>> rules_of(const DispatchTree &tree,
                                                 const std::string &path) {
  return tree.rules(path, [](const Frontend &entry, std::vector<std::string> &rules) {
    rules.push_back(entry.str());
  });
}

Tree whole(const DispatchTree &tree) {
  Tree chains;
  for (const auto &path : tree.paths())
    chains[path] = *rules_of(tree, path);
  return chains;
}

TEST(dispatch_tree, an_empty_tree_is_a_chain_without_rules) {
  const DispatchTree tree(Family::ipv4, DispatchTree::By::address, "SLUICE-A");
  EXPECT_EQ(whole(tree), (Tree{{"", {}}}));
}

TEST(dispatch_tree, sixteen_entries_lie_in_one_chain_and_seventeen_fork_by_the_low_digit) {
  DispatchTree tree(Family::ipv4, DispatchTree::By::address, "SLUICE-A");
  for (int host = 1; host <= 16; ++host)
    tree.insert(at("10.96.0." + std::to_string(host), 80));
  EXPECT_EQ(whole(tree).size(), 1U);
  tree.insert(at("10.96.0.17", 80));
  const auto chains = whole(tree);
  EXPECT_EQ(chains.size(), 17U);
  EXPECT_EQ(chains.at("").front(), "-d 0.0.0.0/0.0.0.15 -g SLUICE-A-0");
  EXPECT_EQ(chains.at("1"),
            (std::vector<std::string>{at("10.96.0.17", 80).str(), at("10.96.0.1", 80).str()}));
}

TEST(dispatch_tree, ports_fork_by_protocol_and_then_by_ranges) {
  DispatchTree tree(Family::ipv4, DispatchTree::By::port, "SLUICE-N");
  for (int index = 0; index < 17; ++index)
    tree.insert(
        {std::nullopt, Port(static_cast<std::uint16_t>(30000 + index * 100)), Protocol::udp});
  const auto chains = whole(tree);
  EXPECT_EQ(chains.at(""), (std::vector<std::string>{"-p udp -g SLUICE-N-17"}));
  EXPECT_EQ(chains.at("17").front(), "-p udp -m udp --dport 29952:30207 -g SLUICE-N-175");
}

TEST(dispatch_tree, many_ports_of_one_address_share_the_last_chain) {
  DispatchTree tree(Family::ipv4, DispatchTree::By::address, "SLUICE-A");
  for (std::uint16_t port = 1; port <= 40; ++port)
    tree.insert(at("10.96.0.1", port));
  const auto chains = whole(tree);
  EXPECT_EQ(chains.size(), 2U);
  EXPECT_EQ(chains.at("100006a0").size(), 40U);
}

TEST(dispatch_tree, chain_names_of_ipv6_have_at_most_28_characters) {
  DispatchTree tree(Family::ipv6, DispatchTree::By::address, "SLUICE-A");
  for (std::uint16_t port = 1; port <= 40; ++port)
    tree.insert(at("fd00:10:96::1", port));
  for (const auto &path : tree.paths())
    EXPECT_LE(tree.chain(path).size(), 28U);
}

TEST(dispatch_tree, a_change_of_a_large_tree_marks_the_chains_of_one_path) {
  DispatchTree tree(Family::ipv4, DispatchTree::By::address, "SLUICE-A");
  for (unsigned host = 0; host < 5000; ++host)
    tree.insert({ip("10.96.0.0").advanced(host), Port(80), Protocol::tcp});
  tree.take_marked();
  const Frontend one{ip("10.96.0.0").advanced(5000), Port(80), Protocol::tcp};
  tree.insert(one);
  EXPECT_LE(tree.take_marked().size(), 6U);
  tree.erase(one);
  EXPECT_LE(tree.take_marked().size(), 6U);
}

/// Whatever happens, what was marked is all that changed.
struct Space {
  const char *name;
  DispatchTree::By by;
  std::uint32_t stride; ///< between two addresses
};
class Walks : public testing::TestWithParam<Space> {};

TEST_P(Walks, what_is_marked_is_all_that_changed) {
  const bool by_port = GetParam().by == DispatchTree::By::port;
  std::mt19937 random(by_port ? 1 : 2);
  const auto below = [&](unsigned limit) {
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(random);
  };
  DispatchTree tree(Family::ipv4, GetParam().by, "SLUICE-A");
  std::set<Frontend> present;
  auto before = whole(tree);
  for (int step = 0; step < 1200; ++step) {
    const Frontend entry{
        by_port ? std::nullopt
                : std::optional(ip("10.96.0.0").advanced(below(300) * GetParam().stride)),
        Port(static_cast<std::uint16_t>(by_port ? 30000 + below(400) : 80)), Protocol::tcp};
    const bool growing = step / 300 % 2 == 0;
    if (below(10) < (growing ? 8U : 2U)) {
      tree.insert(entry);
      present.insert(entry);
    } else {
      tree.erase(entry);
      present.erase(entry);
    }
    for (const auto &path : tree.take_marked()) {
      before.erase(path);
      if (auto rules = rules_of(tree, path))
        before[path] = std::move(*rules);
    }
    ASSERT_EQ(before, whole(tree)) << "step " << step;
  }
  std::set<std::string> found;
  for (const auto &[path, rules] : before)
    for (const auto &rule : rules)
      if (rule.find("-g") == std::string::npos)
        found.insert(rule);
  EXPECT_EQ(found.size(), present.size());
}

INSTANTIATE_TEST_SUITE_P(dispatch_tree, Walks,
                         testing::Values(Space{"by_port", DispatchTree::By::port, 1},
                                         Space{"by_address", DispatchTree::By::address, 1},
                                         Space{"by_scattered_address", DispatchTree::By::address,
                                               0x10101}),
                         [](const auto &of) { return of.param.name; });

} // namespace
} // namespace sluice::proxy::iptables
