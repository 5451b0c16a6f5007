// portmap with the iptables back end: beside Debian's plugin, with real packets, with either kind
// of iptables and without any.
#include "cni/portmap/tests/node.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

namespace sluice::cni {
namespace {

const std::string kTheirs = "/usr/lib/cni/portmap";
constexpr const char *kIptables = R"("backend":"iptables",)";
constexpr const char *kWeb = R"({"hostPort":8080,"containerPort":80,"protocol":"tcp"})";
constexpr const char *kMany = R"({"hostPort":8080,"containerPort":80,"protocol":"tcp"},
  {"hostPort":53,"containerPort":5353,"protocol":"udp"},
  {"hostPort":83,"containerPort":84,"protocol":"sctp","hostIP":"192.0.2.1"},
  {"hostPort":85,"containerPort":86,"protocol":"tcp","hostIP":"::"},
  {"hostPort":87,"containerPort":88,"protocol":"tcp","hostIP":"2001:db8::1"})";

SocketAddress at(const char *text) { return SocketAddress::parse(text).value(); }

class cni_portmap_iptables : public testing::Test {
protected:
  cni_portmap_iptables() { node.connect("c1"); }
  static bool has_theirs() { return ::access(kTheirs.c_str(), X_OK) == 0; }
  /// The rules of nat, both families, in the order of the chains.
  std::string rules(const std::string &pattern = "^-A") {
    return node.on_host("{ iptables-save -t nat; ip6tables-save -t nat; } 2>/dev/null | grep -e '" +
                        pattern + "'");
  }
  PluginRun collect(const std::string &valid) {
    return node.driver.call(Command::gc, "c1",
                            R"({"cniVersion":"1.1.0","name":"net","type":"portmap",)"
                            R"("cni.dev/valid-attachments":[)" +
                                valid + "]}",
                            {}, node.driver.program("portmap"));
  }
  /// Calls our portmap where /usr/sbin is what `fill` (a shell command) puts into a folder.
  std::string call_with_programs(Command command, const std::string &config,
                                 const std::string &fill) {
    const auto sbin = node.driver.folder().path() + "/sbin";
    std::filesystem::create_directory(sbin);
    node.on_host("cd " + sbin + " && { " + fill + "; }");
    const auto input = node.driver.folder().path() + "/stdin";
    write_file(input, with_previous(config, node.connected("c1")));
    std::string variables;
    for (const auto &[name, value] : node.driver.variables_of(command, "c1"))
      variables += " '" + name + "=" + value + "'";
    return node.on_host("unshare -m sh -c 'mount --bind " + sbin +
                        " /usr/sbin && exec env -i \"$@\" " + node.driver.program("portmap") +
                        " < " + input + "' sh" + variables);
  }
  PortmapNode node;
};

TEST_F(cni_portmap_iptables, the_rules_are_byte_for_byte_those_of_the_reference_plugin) {
  if (!has_theirs())
    GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  const auto config =
      node.config(R"("backend":"iptables","conditionsV4":["!","-d","192.0.2.7"],)", kMany);
  ASSERT_EQ(node.call(Command::add, "c1", config, kTheirs).exit_status, 0);
  const auto theirs = rules();
  EXPECT_NE(theirs.find("--to-destination [fd77::2]:86"), std::string::npos) << theirs;
  ASSERT_EQ(node.call(Command::del, "c1", config, kTheirs).exit_status, 0);
  EXPECT_EQ(rules("CNI-DN-"), "");
  node.on_host("iptables -t nat -F; ip6tables -t nat -F; iptables -t nat -X; ip6tables -t nat -X");
  ASSERT_EQ(node.call(Command::add, "c1", config).exit_status, 0);
  EXPECT_EQ(rules(), theirs);
}

TEST_F(cni_portmap_iptables, each_checks_and_removes_what_the_other_made) {
  if (!has_theirs())
    GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  const auto config = node.config(kIptables, kMany);
  const auto ours = node.driver.program("portmap");
  const auto only_iptables = node.driver.folder().path() + "/path";
  std::filesystem::create_directory(only_iptables);
  std::filesystem::create_symlink("/usr/sbin/iptables", only_iptables + "/iptables");
  for (const auto &[adds, removes] : {std::pair{ours, kTheirs}, std::pair{kTheirs, ours}}) {
    SCOPED_TRACE(adds + " adds");
    ASSERT_EQ(node.call(Command::add, "c1", config, adds).exit_status, 0);
    EXPECT_NE(rules("CNI-DN-"), "");
    // Debian's looks for the rules of IPv4 in ip6tables too, where there is one.
    for (const auto &checks : {adds, removes})
      EXPECT_EQ(node.driver
                    .call(Command::check, "c1",
                          with_previous(config, R"({"ips":[{"address":"10.77.0.2/24"}]})"),
                          {{"PATH", only_iptables}}, checks)
                    .output,
                "");
    EXPECT_EQ(node.call(Command::check, "c1", config, ours).output, "");
    EXPECT_EQ(node.call(Command::del, "c1", config, removes).output, "");
    EXPECT_EQ(rules("CNI-DN-"), "");
  }
  // Without mappings, result and namespace, as after a restart of the runtime.
  ASSERT_EQ(node.call(Command::add, "c1", config, kTheirs).exit_status, 0);
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(rules("CNI-DN-"), "");
}

TEST_F(cni_portmap_iptables, everybody_reaches_the_pod_and_after_del_nobody) {
  const auto &outside = node.outside();
  for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
    SCOPED_TRACE(name_of(protocol));
    const std::string name(name_of(protocol));
    ASSERT_EQ(node.add("c1", kIptables,
                       R"({"hostPort":8080,"containerPort":80,"protocol":")" + name + "\"}")
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
}

TEST_F(cni_portmap_iptables, an_association_of_sctp_is_led_to_the_pod) {
  ASSERT_EQ(node.add("c1", kIptables, R"({"hostPort":8080,"containerPort":80,"protocol":"sctp"})")
                .exit_status,
            0);
  EXPECT_EQ(sctp_init_seen_in(node.driver.pod("c1"), node.outside(), at("192.0.2.1:8080")),
            "192.0.2.2 to port 80");
}

TEST_F(cni_portmap_iptables, an_udp_port_that_moves_takes_a_client_that_never_stops_along) {
  constexpr const char *kDns = R"({"hostPort":53,"containerPort":53,"protocol":"udp"})";
  node.connect("c2");
  const auto first = serve(node.driver.pod("c1"), Protocol::udp, at("10.77.0.2:53"));
  const auto second = serve(node.driver.pod("c2"), Protocol::udp, at("10.77.0.3:53"));
  const UdpClient client(node.outside(), at("192.0.2.1:53"));
  ASSERT_EQ(node.add("c1", kIptables, kDns).exit_status, 0);
  client.say("one");
  EXPECT_EQ(heard_by(first), "one");
  ASSERT_EQ(node.add("c2", kIptables, kDns).exit_status, 0);
  client.say("two");
  EXPECT_EQ(heard_by(second), "two") << "the younger pod has the port";
  ASSERT_EQ(node.call(Command::del, "c2", node.config(kIptables, kDns)).exit_status, 0);
  client.say("three");
  EXPECT_EQ(heard_by(first), "three");
}

TEST_F(cni_portmap_iptables, without_a_word_on_it_iptables_is_the_back_end) {
  ASSERT_EQ(node.add("c1", "", kWeb).exit_status, 0);
  EXPECT_NE(rules("CNI-DN-"), "");
  EXPECT_EQ(node.on_host("nft list table ip cni_hostport 2>&1 | grep -c dnat"), "0\n");
  EXPECT_EQ(node.call(Command::check, "c1", node.config("", kWeb)).output, "");
}

TEST_F(cni_portmap_iptables, snat_and_masq_all_say_who_is_hidden) {
  ASSERT_EQ(node.add("c1", R"("backend":"iptables","snat":false,)", kWeb).exit_status, 0);
  EXPECT_EQ(rules("SETMARK\\|MASQ"), "");
  ASSERT_EQ(node.add("c1", R"("backend":"iptables","masqAll":true,)", kWeb).exit_status, 0);
  const auto server = serve(node.driver.pod("c1"), Protocol::tcp, at("10.77.0.2:80"));
  EXPECT_EQ(seen_by(server, node.outside(), Protocol::tcp, at("192.0.2.1:8080")), "10.77.0.1");
}

TEST_F(cni_portmap_iptables, conditions_hold_and_their_errors_name_iptables) {
  ASSERT_EQ(
      node.add("c1", R"("conditionsV4":["!","-s","192.0.2.2"],"conditionsV6":["-i","lo"],)", kWeb)
          .exit_status,
      0);
  const auto server = serve(node.driver.pod("c1"), Protocol::tcp, at("10.77.0.2:80"));
  EXPECT_EQ(seen_by(server, node.outside(), Protocol::tcp, at("192.0.2.1:8080")), "nothing");
  EXPECT_EQ(seen_by(server, node.driver.host(), Protocol::tcp, at("192.0.2.1:8080")), "192.0.2.1");
  const auto run = node.add("c1", R"("conditionsV4":["-m","none-such"],)", kWeb);
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_NE(run.output.find("none-such"), std::string::npos) << run.output;
  EXPECT_EQ(rules("CNI-DN-"), "") << "all or nothing";
}

TEST_F(cni_portmap_iptables, the_mark_may_be_another_bit_or_anothers_chain) {
  ASSERT_EQ(node.add("c1", R"("markMasqBit":20,)", kWeb).exit_status, 0);
  EXPECT_NE(rules("set-xmark").find("0x100000/0x100000"), std::string::npos);
  const auto server = serve(node.driver.pod("c1"), Protocol::tcp, at("10.77.0.2:80"));
  EXPECT_EQ(seen_by(server, node.driver.host(), Protocol::tcp, at("127.0.0.1:8080")), "10.77.0.1");
  const auto run = node.add("c1", R"("externalSetMarkChain":"KUBE-MARK-MASQ",)", kWeb);
  EXPECT_NE(run.output.find("\"code\":7"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("KUBE-MARK-MASQ"), std::string::npos) << run.output;
  node.on_host("for t in iptables ip6tables; do $t -t nat -N KUBE-MARK-MASQ; "
               "$t -t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000; "
               "$t -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE; done");
  ASSERT_EQ(node.add("c1", R"("externalSetMarkChain":"KUBE-MARK-MASQ",)", kWeb).exit_status, 0);
  EXPECT_EQ(seen_by(server, node.driver.host(), Protocol::tcp, at("127.0.0.1:8080")), "10.77.0.1");
}

TEST_F(cni_portmap_iptables, add_twice_is_add_once_and_check_misses_a_rule) {
  const auto config = node.config(kIptables, kWeb);
  ASSERT_EQ(node.call(Command::add, "c1", config).exit_status, 0);
  const auto once = rules();
  ASSERT_EQ(node.call(Command::add, "c1", config).exit_status, 0);
  EXPECT_EQ(rules(), once);
  for (const char *chain : {"PREROUTING", "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ"}) {
    SCOPED_TRACE(chain);
    node.on_host(std::string("iptables -t nat -F ") + chain);
    const auto run = node.call(Command::check, "c1", config);
    EXPECT_NE(run.output.find("\"code\":102"), std::string::npos) << run.output;
    EXPECT_NE(run.output.find(chain), std::string::npos) << run.output;
    ASSERT_EQ(node.call(Command::add, "c1", config).exit_status, 0);
    EXPECT_EQ(node.call(Command::check, "c1", config).output, "");
  }
}

TEST_F(cni_portmap_iptables, gc_removes_what_belongs_to_no_valid_container_of_this_network) {
  node.connect("c2");
  auto other = node.config(kIptables, kWeb);
  other.replace(other.find("\"net\""), 5, "\"two\"");
  const auto adds = has_theirs() ? kTheirs : std::string();
  for (const char *id : {"c1", "c2"})
    ASSERT_EQ(node.call(Command::add, id, node.config(kIptables, kWeb), adds).exit_status, 0);
  ASSERT_EQ(node.call(Command::add, "c1", other).exit_status, 0);
  // Of plugins before 0.8.
  node.on_host("iptables -t nat -N CNI-HOSTPORT-SNAT; iptables -t nat -N CNI-SN-gone;"
               "iptables -t nat -A CNI-HOSTPORT-SNAT -j CNI-SN-gone");
  EXPECT_EQ(collect(R"({"containerID":"c2","ifname":"eth0"})").output, "");
  const auto left = node.on_host("iptables-save -t nat | grep -o 'name: .* id: [^ ]*'");
  EXPECT_EQ(left, "name: \\\"two\\\" id: \\\"c1\\\"\"\nname: \\\"net\\\" id: \\\"c2\\\"\"\n");
  EXPECT_EQ(collect("").output, "");
  EXPECT_EQ(rules("name: ..net.."), "");
  EXPECT_NE(rules("CNI-SN-gone"), "") << "nobody can tell whose it is";
}

TEST_F(cni_portmap_iptables, old_chains_of_the_container_go_with_del) {
  const std::string chain = "CNI-SN-623e1c388032b20529218";
  node.on_host("iptables -t nat -N CNI-HOSTPORT-SNAT; iptables -t nat -N " + chain +
               "; iptables -t nat -A CNI-HOSTPORT-SNAT -s 127.0.0.1 -j " + chain +
               "; iptables -t nat -A " + chain + " -j MASQUERADE");
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(rules("CNI-SN-"), "");
}

TEST_F(cni_portmap_iptables, where_there_is_nothing_nothing_is_made) {
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(node.on_host("nft list tables ip; cat /proc/self/net/ip_tables_names"), "");
}

TEST_F(cni_portmap_iptables, many_at_once_lose_no_rule_and_leave_none) {
  constexpr int kPods = 8;
  const auto run_all = [&](Command command) {
    std::vector<std::thread> threads;
    std::vector<PluginRun> runs(kPods);
    for (std::size_t i = 0; i < kPods; ++i)
      threads.emplace_back([&, i] {
        const auto id = "m" + std::to_string(i);
        runs[i] = node.call(command, id,
                            node.config(kIptables, R"({"hostPort":)" + std::to_string(9000 + i) +
                                                       R"(,"containerPort":80,"protocol":"tcp"})"));
      });
    for (auto &thread : threads)
      thread.join();
    for (const auto &run : runs)
      EXPECT_EQ(run.exit_status, 0) << run.output;
  };
  for (std::size_t i = 0; i < kPods; ++i)
    node.connect("m" + std::to_string(i));
  run_all(Command::add);
  EXPECT_EQ(node.on_host("iptables-save -t nat | grep -c -e --to-destination"), "8\n");
  EXPECT_EQ(node.on_host("iptables-save -t nat | grep -c -e '-j CNI-HOSTPORT-DNAT'"), "2\n");
  run_all(Command::check);
  std::vector<std::thread> threads;
  for (int i = 0; i < kPods; ++i)
    threads.emplace_back([&] { EXPECT_EQ(node.del("m0").output, ""); });
  for (auto &thread : threads)
    thread.join();
  EXPECT_EQ(node.on_host("iptables-save -t nat | grep -c -e --to-destination"), "7\n");
  run_all(Command::del);
  EXPECT_EQ(rules("CNI-DN-"), "");
}

constexpr const char *kLegacy =
    "cp -n /usr/sbin/xtables-legacy-multi . && for f in 4 6; do p=ip${f#4}tables; "
    "ln -sf xtables-legacy-multi $p-save; ln -sf xtables-legacy-multi $p-restore; "
    "ln -sf xtables-legacy-multi $p-legacy-save; ln -sf xtables-legacy-multi $p-legacy-restore; "
    "done";

TEST_F(cni_portmap_iptables, the_kind_of_iptables_is_the_one_that_the_plain_name_means) {
  if (::access("/usr/sbin/xtables-legacy-multi", X_OK) != 0)
    GTEST_SKIP() << "no legacy iptables";
  if (node.on_host("iptables-legacy -t nat -S >/dev/null 2>&1 && echo works") != "works\n")
    GTEST_SKIP() << "this kernel has no legacy nat table";
  const auto config = node.config(kIptables, kWeb);
  const auto run = call_with_programs(Command::add, config, kLegacy);
  EXPECT_NE(run.find("10.77.0.2/24"), std::string::npos) << run;
  EXPECT_EQ(node.on_host("iptables-nft-save -t nat 2>/dev/null | grep -c CNI-DN"), "0\n");
  EXPECT_EQ(node.on_host("iptables-legacy-save -t nat | grep -c -e --to-destination"), "1\n");
  EXPECT_EQ(call_with_programs(Command::check, config, kLegacy), "");
  const auto server = serve(node.driver.pod("c1"), Protocol::tcp, at("10.77.0.2:80"));
  EXPECT_EQ(seen_by(server, node.outside(), Protocol::tcp, at("192.0.2.1:8080")), "192.0.2.2");
  // The node has changed over to the other kind meanwhile: DEL looks into both.
  EXPECT_EQ(node.del("c1").output, "");
  EXPECT_EQ(node.on_host("iptables-legacy-save -t nat | grep -c CNI-DN"), "0\n");
}

TEST_F(cni_portmap_iptables, without_iptables_nftables_is_used_unless_iptables_is_asked_for) {
  auto run = call_with_programs(Command::add, node.config("", kWeb), "true");
  EXPECT_NE(run.find("10.77.0.2/24"), std::string::npos) << run;
  EXPECT_NE(node.on_host("nft list chain ip cni_hostport hostports").find("dnat to 10.77.0.2:80"),
            std::string::npos);
  EXPECT_EQ(call_with_programs(Command::check, node.config("", kWeb), "true"), "");
  EXPECT_EQ(call_with_programs(Command::del, node.config("", kWeb), "true"), "");
  const auto asked = node.config(kIptables, kWeb);
  run = call_with_programs(Command::add, asked, "true");
  EXPECT_NE(run.find("\"code\":7"), std::string::npos) << run;
  EXPECT_NE(run.find("iptables-restore is not installed"), std::string::npos) << run;
  EXPECT_EQ(call_with_programs(Command::del, asked, "true"), "");
  auto status = asked;
  status.replace(status.find("1.0.0"), 5, "1.1.0");
  run = call_with_programs(Command::status, status, "true");
  EXPECT_NE(run.find("\"code\":50"), std::string::npos) << run;
}

} // namespace
} // namespace sluice::cni
