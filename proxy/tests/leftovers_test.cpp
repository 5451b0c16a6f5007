#include "proxy/leftovers.hpp"
#include "proxy/shadow_report.hpp"
#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using leftovers::plan_iptables;

TEST(proxy_leftovers, chains_are_kube_proxys_by_their_names) {
  for (const auto *chain :
       {"KUBE-SERVICES", "KUBE-SVC-ERIFXISQEP7F7OF4", "KUBE-SEP-X", "KUBE-EXT-X", "KUBE-FW-X",
        "KUBE-SVL-X", "KUBE-XLB-X", "KUBE-PROXY-CANARY", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ"})
    EXPECT_TRUE(leftovers::is_kube_proxy_chain(chain)) << chain;
  for (const auto *chain :
       {"KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-MARK-DROP",
        "KUBE-ROUTER-INPUT", "KUBE-POD-FW-X", "KUBE-NWPLCY-X", "SLUICE-SERVICES", "OUTPUT", ""})
    EXPECT_FALSE(leftovers::is_kube_proxy_chain(chain)) << chain;
}

TEST(proxy_leftovers, chains_and_jumps_go_and_what_is_others_stays) {
  const auto plan = plan_iptables(R"(*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:MINE - [0:0]
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -j MINE
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals -j x" -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.0.0.1:80
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A
-A KUBE-SVC-A -j KUBE-SEP-A
COMMIT
)");
  EXPECT_EQ(plan, R"(*filter
:KUBE-FORWARD - [0:0]
-D FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-X KUBE-FORWARD
COMMIT
*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
-D PREROUTING -m comment --comment "kubernetes service portals -j x" -j KUBE-SERVICES
-X KUBE-MARK-MASQ
-X KUBE-SEP-A
-X KUBE-SERVICES
-X KUBE-SVC-A
COMMIT
)");
}

TEST(proxy_leftovers, a_chain_that_rules_of_others_need_stays_with_what_it_needs) {
  const auto plan = plan_iptables(R"(*nat
:POSTROUTING ACCEPT [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
-A POSTROUTING -j KUBE-POSTROUTING
-A CNI-HOSTPORT-SETMARK -j KUBE-MARK-MASQ
COMMIT
)");
  EXPECT_EQ(plan, "*nat\n:KUBE-SERVICES - [0:0]\n-X KUBE-SERVICES\nCOMMIT\n");
}

TEST(proxy_leftovers, nothing_of_kube_proxy_is_nothing_to_do) {
  EXPECT_EQ(plan_iptables(""), "");
  EXPECT_EQ(plan_iptables("*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-FIREWALL - [0:0]\nCOMMIT\n"), "");
}

TEST(proxy_shadow_report, what_a_node_will_notice_is_listed) {
  test::World world;
  world.node.anyNodePortAddress = false;
  world.node.nodePortAddresses = {test::ip("192.168.0.2")};
  Model model(Family::ipv4, world.nodeName);
  model.set_node(world.node, world.zone);
  model.update(world.service);
  model.sync();
  ProxyOptions options;
  const auto says = [&](const Surroundings &surroundings, const std::string &text) {
    const auto lines = what_changes(options, std::span(&model.table(), 1), surroundings);
    return std::any_of(lines.begin(), lines.end(), [&](const std::string &line) {
      return line.find(text) != std::string::npos;
    });
  };
  EXPECT_TRUE(says({}, "1 nodePorts (IPv4) answer on 192.168.0.2 alone"));
  EXPECT_TRUE(says({}, "do not answer on 127.0.0.1"));
  EXPECT_TRUE(says({}, "is refused at once"));
  EXPECT_TRUE(says({}, "that no Service has is dropped"));
  EXPECT_FALSE(says({}, "FORWARD policy is DROP"));
  EXPECT_TRUE(says({.forwardDrops = true}, "FORWARD policy is DROP"));
  EXPECT_TRUE(says({.kubeProxyRules = true}, "removed after our first sync"));
  EXPECT_TRUE(says({.ipvs = true}, "IPVS"));
  options.mode = "iptables";
  EXPECT_FALSE(says({.forwardDrops = true}, "FORWARD policy is DROP"));
  EXPECT_FALSE(says({}, "do not answer on 127.0.0.1"));
}

} // namespace
} // namespace sluice::proxy
