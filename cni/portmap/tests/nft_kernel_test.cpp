// portmap with the nftables back end: what is in the kernel, and where packets go.
#include "cni/portmap/tests/node.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

constexpr const char *kNft = R"("backend":"nftables",)";
constexpr const char *kWeb = R"({"hostPort":8080,"containerPort":80,"protocol":"tcp"})";

SocketAddress at(const char *text) { return SocketAddress::parse(text).value(); }

class cni_portmap_nft : public testing::Test {
protected:
  cni_portmap_nft() { node.connect("c1"); }
  std::string rules(const std::string &chain, const std::string &family = "ip") {
    return node.on_host(
        "nft -s list chain " + family + " cni_hostport " + chain +
        " | grep -v -e chain -e table -e '^[[:space:]]*}' | sed 's/^[[:space:]]*//'");
  }
  PortmapNode node;
};

TEST_F(cni_portmap_nft, the_tables_are_those_of_the_reference_plugin) {
  const auto run = node.add("c1", kNft,
                            std::string(kWeb) +
                                R"(,{"hostPort":53,"containerPort":5353,"protocol":"udp"},
      {"hostPort":83,"containerPort":84,"protocol":"sctp","hostIP":"192.0.2.1"},
      {"hostPort":85,"containerPort":86,"protocol":"tcp","hostIP":"::"})");
  ASSERT_EQ(run.exit_status, 0) << run.output;
  EXPECT_NE(run.output.find("10.77.0.2/24"), std::string::npos);
  EXPECT_EQ(rules("hostports"), "tcp dport 8080 dnat to 10.77.0.2:80 comment \"c1\"\n"
                                "udp dport 53 dnat to 10.77.0.2:5353 comment \"c1\"\n");
  EXPECT_EQ(rules("hostip_hostports"),
            "ip daddr 192.0.2.1 sctp dport 83 dnat to 10.77.0.2:84 comment \"c1\"\n");
  EXPECT_EQ(rules("hostports_all"), "jump hostip_hostports\njump hostports\n");
  EXPECT_EQ(rules("prerouting"), "type nat hook prerouting priority dstnat; policy accept;\n"
                                 "fib daddr type local jump hostports_all\n");
  EXPECT_EQ(rules("masquerading"),
            "type nat hook postrouting priority srcnat; policy accept;\n"
            "ip saddr 10.77.0.2 ip daddr 10.77.0.2 masquerade comment \"c1\"\n"
            "ip saddr 127.0.0.1 ip daddr 10.77.0.2 masquerade comment \"c1\"\n");
  EXPECT_EQ(rules("hostports", "ip6"), "tcp dport 8080 dnat to [fd77::2]:80 comment \"c1\"\n"
                                       "udp dport 53 dnat to [fd77::2]:5353 comment \"c1\"\n"
                                       "tcp dport 85 dnat to [fd77::2]:86 comment \"c1\"\n");
  EXPECT_EQ(rules("masquerading", "ip6"),
            "type nat hook postrouting priority srcnat; policy accept;\n"
            "ip6 saddr fd77::2 ip6 daddr fd77::2 masquerade comment \"c1\"\n");
}

TEST_F(cni_portmap_nft, everybody_reaches_the_pod_and_after_del_nobody) {
  const auto &outside = node.outside();
  for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
    SCOPED_TRACE(name_of(protocol));
    const std::string name(name_of(protocol));
    ASSERT_EQ(
        node.add("c1", kNft, R"({"hostPort":8080,"containerPort":80,"protocol":")" + name + "\"}")
            .exit_status,
        0);
    const auto v4 = serve(node.driver.pod("c1"), protocol, at("10.77.0.2:80"));
    const auto v6 = serve(node.driver.pod("c1"), protocol, at("[fd77::2]:80"));
    EXPECT_EQ(seen_by(v4, outside, protocol, at("192.0.2.1:8080")), "192.0.2.2");
    EXPECT_EQ(seen_by(v6, outside, protocol, at("[2001:db8::1]:8080")), "2001:db8::2");
    EXPECT_EQ(seen_by(v4, node.driver.host(), protocol, at("127.0.0.1:8080")), "10.77.0.1");
    EXPECT_EQ(seen_by(v4, node.driver.pod("c1"), protocol, at("192.0.2.1:8080")), "10.77.0.1");
    EXPECT_EQ(node.del("c1").output, "");
    EXPECT_EQ(seen_by(v4, outside, protocol, at("192.0.2.1:8080")), "nothing");
  }
  for (const char *family : {"ip", "ip6"})
    for (const char *chain : {"hostports", "hostip_hostports"})
      EXPECT_EQ(rules(chain, family), "");
}

TEST_F(cni_portmap_nft, an_association_of_sctp_is_led_to_the_pod) {
  ASSERT_EQ(
      node.add("c1", kNft, R"({"hostPort":8080,"containerPort":80,"protocol":"sctp"})").exit_status,
      0);
  EXPECT_EQ(sctp_init_seen_in(node.driver.pod("c1"), node.outside(), at("192.0.2.1:8080")),
            "192.0.2.2 to port 80");
}

TEST_F(cni_portmap_nft, an_udp_port_that_moves_takes_a_client_that_never_stops_along) {
  constexpr const char *kDns = R"({"hostPort":53,"containerPort":53,"protocol":"udp"})";
  node.connect("c2");
  const auto first = serve(node.driver.pod("c1"), Protocol::udp, at("10.77.0.2:53"));
  const auto second = serve(node.driver.pod("c2"), Protocol::udp, at("10.77.0.3:53"));
  const UdpClient client(node.outside(), at("192.0.2.1:53"));
  ASSERT_EQ(node.add("c1", kNft, kDns).exit_status, 0);
  client.say("one");
  EXPECT_EQ(heard_by(first), "one");
  // The younger pod has the port, even while the older one is still there.
  ASSERT_EQ(node.add("c2", kNft, kDns).exit_status, 0);
  client.say("two");
  EXPECT_EQ(heard_by(second), "two");
  ASSERT_EQ(node.call(Command::del, "c2", node.config(kNft, kDns)).exit_status, 0);
  client.say("three");
  EXPECT_EQ(heard_by(first), "three");
}

TEST_F(cni_portmap_nft, snat_and_masq_all_say_who_is_hidden) {
  ASSERT_EQ(node.add("c1", R"("backend":"nftables","snat":false,)", kWeb).exit_status, 0);
  EXPECT_EQ(rules("masquerading").find("10.77.0.2"), std::string::npos);
  ASSERT_EQ(node.add("c1", R"("backend":"nftables","masqAll":true,)", kWeb).exit_status, 0);
  const auto server = serve(node.driver.pod("c1"), Protocol::tcp, at("10.77.0.2:80"));
  EXPECT_EQ(seen_by(server, node.outside(), Protocol::tcp, at("192.0.2.1:8080")), "10.77.0.1");
}

TEST_F(cni_portmap_nft, conditions_stand_before_the_jump) {
  ASSERT_EQ(node.add("c1",
                     R"("backend":"nftables","conditionsV4":["ip","saddr","!=","192.0.2.2"],
                        "conditionsV6":["iifname up0"],)",
                     kWeb)
                .exit_status,
            0);
  EXPECT_NE(
      rules("prerouting").find("ip saddr != 192.0.2.2 fib daddr type local jump hostports_all"),
      std::string::npos);
  EXPECT_NE(rules("prerouting", "ip6").find("iifname \"up0\" fib daddr"), std::string::npos);
  const auto server = serve(node.driver.pod("c1"), Protocol::tcp, at("10.77.0.2:80"));
  EXPECT_EQ(seen_by(server, node.outside(), Protocol::tcp, at("192.0.2.1:8080")), "nothing");
  EXPECT_EQ(seen_by(server, node.driver.host(), Protocol::tcp, at("192.0.2.1:8080")), "192.0.2.1");
}

TEST_F(cni_portmap_nft, add_twice_is_add_once_and_check_misses_any_rule) {
  const auto config = node.config(kNft, kWeb);
  for (int i = 0; i < 2; ++i)
    ASSERT_EQ(node.call(Command::add, "c1", config).exit_status, 0);
  EXPECT_EQ(rules("hostports"), "tcp dport 8080 dnat to 10.77.0.2:80 comment \"c1\"\n");
  EXPECT_EQ(node.call(Command::check, "c1", config).output, "");
  for (const char *chain : {"hostports", "masquerading", "prerouting", "hostports_all"}) {
    SCOPED_TRACE(chain);
    node.on_host(std::string("nft flush chain ip cni_hostport ") + chain);
    const auto run = node.call(Command::check, "c1", config);
    EXPECT_NE(run.output.find("\"code\":102"), std::string::npos) << run.output;
    EXPECT_NE(run.output.find(chain), std::string::npos) << run.output;
    ASSERT_EQ(node.call(Command::add, "c1", config).exit_status, 0);
    EXPECT_EQ(node.call(Command::check, "c1", config).output, "");
  }
}

TEST_F(cni_portmap_nft, del_and_gc_touch_nothing_of_others) {
  node.connect("c2");
  auto other = node.config(kNft, R"({"hostPort":9090,"containerPort":90,"protocol":"tcp"})");
  other.replace(other.find("\"net\""), 5, "\"two\"");
  ASSERT_EQ(node.add("c1", kNft, kWeb).exit_status, 0);
  ASSERT_EQ(node.add("c2", kNft, kWeb).exit_status, 0);
  ASSERT_EQ(node.call(Command::add, "c1", other).exit_status, 0);
  node.on_host("nft add rule ip cni_hostport hostports tcp dport 1 counter comment '\"gone\"'");
  const auto gc = node.driver.call(Command::gc, "c1",
                                   R"({"cniVersion":"1.1.0","name":"net","type":"portmap",
          "cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}]})",
                                   {}, node.driver.program("portmap"));
  EXPECT_EQ(gc.output, "");
  EXPECT_EQ(rules("hostports"), "tcp dport 9090 dnat to 10.77.0.2:90 comment \"c1\"\n"
                                "tcp dport 8080 dnat to 10.77.0.3:80 comment \"c2\"\n"
                                "tcp dport 1 counter comment \"gone\"\n");
  // As the reference plugin makes them: no network. By the container's name it is ours.
  EXPECT_EQ(node.del("gone").output, "");
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(rules("hostports"), "tcp dport 9090 dnat to 10.77.0.2:90 comment \"c1\"\n"
                                "tcp dport 8080 dnat to 10.77.0.3:80 comment \"c2\"\n");
}

TEST_F(cni_portmap_nft, what_is_not_there_is_removed_without_an_error) {
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(node.on_host("nft list tables ip"), "");
  EXPECT_EQ(node.add("c1", kNft, "").exit_status, 0);
  EXPECT_EQ(node.on_host("nft list tables ip"), "");
}

TEST_F(cni_portmap_nft, a_family_that_fails_takes_the_other_back) {
  const auto run = node.add("c1", R"("backend":"nftables","conditionsV6":["tcp dport 1"],)", kWeb);
  EXPECT_NE(run.output.find("\"code\":2"), std::string::npos) << run.output;
  EXPECT_EQ(rules("hostports"), "");
}

TEST_F(cni_portmap_nft, without_a_result_before_it_is_refused) {
  const auto run = node.driver.call(Command::add, "c1", node.config(kNft, kWeb), {},
                                    node.driver.program("portmap"));
  EXPECT_NE(run.output.find("prevResult is missing"), std::string::npos) << run.output;
}

} // namespace
} // namespace sluice::cni
