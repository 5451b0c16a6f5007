#include "kernel/iptables.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel::iptables {
namespace {

TEST(iptables, every_chain_and_rule_of_a_saved_table_is_visited) {
  std::vector<std::string> seen;
  const auto note = [&](auto table, auto chain, auto rest) {
    seen.push_back(std::string(table) + "|" + std::string(chain) + "|" + std::string(rest));
  };
  const auto done = visit("# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n:OURS - [0:0]\n"
                          "-A PREROUTING -j OURS\n[3:180] -A OURS -p tcp -j RETURN\nCOMMIT\n"
                          "*filter\n:INPUT DROP [0:0]\nCOMMIT\n",
                          {note, note});
  ASSERT_TRUE(done);
  EXPECT_EQ(seen, (std::vector<std::string>{"nat|PREROUTING|ACCEPT", "nat|OURS|-",
                                            "nat|PREROUTING|-j OURS", "nat|OURS|-p tcp -j RETURN",
                                            "filter|INPUT|DROP"}));
}

TEST(iptables, a_line_of_no_kind_is_an_error_that_quotes_it) {
  for (const auto *text : {"nonsense\n", "*nat\n-Z OURS\n", "-A OURS -j RETURN\n"}) {
    SCOPED_TRACE(text);
    const auto done = visit(text, {});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), Errc::invalid_input);
  }
}

struct FlavourCase {
  const char *name, *legacy, *nft;
  Flavour chosen;
};

TEST(iptables, the_flavour_is_the_one_that_the_host_uses) {
  const std::vector<FlavourCase> cases{
      {"nothing anywhere", "", "", Flavour::nft},
      {"kubelet's hint in nft", "*nat\n-A A -j B\n-A A -j C\n",
       "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n", Flavour::nft},
      {"kubelet's hint in legacy", "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n", "*nat\n-A A -j B\n",
       Flavour::legacy},
      {"the older canary in legacy", "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\n", "",
       Flavour::legacy},
      {"more rules in legacy", "*nat\n-A A -j B\n-A A -j C\n", "*nat\n-A A -j B\n",
       Flavour::legacy},
      {"as many in both", "*nat\n-A A -j B\n", "*nat\n-A A -j B\n", Flavour::nft},
  };
  for (const auto &of : cases) {
    SCOPED_TRACE(of.name);
    EXPECT_EQ(choose_flavour(of.legacy, of.nft), of.chosen);
  }
}

} // namespace
} // namespace sluice::kernel::iptables
