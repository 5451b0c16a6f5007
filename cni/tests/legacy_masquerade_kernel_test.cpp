// Masquerade rules of pods that the reference plugins connected.
#include "cni/legacy_masquerade.hpp"
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

const std::string kTheirs = "/usr/lib/cni/bridge";

class cni_legacy_masquerade : public testing::Test {
protected:
  std::string config() const {
    return driver.config(
        R"("isDefaultGateway":true,"ipMasq":true,)",
        R"("type":"sluice-ipam","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])");
  }
  void connect_by_theirs(const std::string &id) {
    auto text = config();
    text.replace(text.find("1.1.0"), 5, "1.0.0");
    text.replace(text.find("sluice-ipam"), 11, "host-local");
    const auto run = driver.call(Command::add, id, text, {{"CNI_PATH", "/usr/lib/cni"}}, kTheirs);
    ASSERT_EQ(run.exit_status, 0) << run.output;
  }
  std::string iptables_rules() {
    return driver.on_host("{ iptables-save -t nat; ip6tables-save -t nat; } | grep CNI-");
  }
  std::string nft_rules() {
    return driver.on_host(
        "nft list chain inet cni_plugins_masquerade masq_checks | grep -o 'id: [a-z0-9]*'");
  }
  /// As version 1.5 and later of the reference plugins make them.
  void make_nft_rule(const std::string &id) {
    driver.on_host(
        "nft add table inet cni_plugins_masquerade; nft add chain inet "
        "cni_plugins_masquerade masq_checks; nft add rule inet cni_plugins_masquerade "
        "masq_checks ip saddr 10.77.0.2 ip daddr != 10.77.0.0/24 masquerade comment '\"" +
        legacy_masquerade_mark("net", {id, "eth0"}) + ", net: net, if: eth0, id: " + id + "\"'");
  }
  PluginRun collect(const std::string &valid) {
    auto text = config();
    text.insert(text.rfind('}'), R"(,"cni.dev/valid-attachments":[)" + valid + "]");
    return driver.call(Command::gc, "c1", text);
  }
  Driver driver;
};

TEST_F(cni_legacy_masquerade, del_removes_what_their_bridge_left_though_the_namespace_is_gone) {
  if (::access(kTheirs.c_str(), X_OK) != 0)
    GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  connect_by_theirs("c1");
  connect_by_theirs("c2");
  EXPECT_NE(iptables_rules().find("id: \\\"c1\\\""), std::string::npos) << iptables_rules();
  driver.remove_pod("c1");
  EXPECT_EQ(driver.call(Command::del, "c1", config(), {{"CNI_NETNS", ""}}).output, "");
  EXPECT_EQ(iptables_rules().find("id: \\\"c1\\\""), std::string::npos) << iptables_rules();
  EXPECT_NE(iptables_rules().find("id: \\\"c2\\\""), std::string::npos) << iptables_rules();
  EXPECT_EQ(driver.call(Command::del, "c2", config()).output, "");
  EXPECT_EQ(driver.call(Command::del, "c2", config()).output, "");
  EXPECT_EQ(iptables_rules(), "");
}

TEST_F(cni_legacy_masquerade, gc_removes_only_what_belongs_to_no_valid_attachment) {
  if (::access(kTheirs.c_str(), X_OK) != 0)
    GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  connect_by_theirs("c1");
  connect_by_theirs("c2");
  EXPECT_EQ(collect(R"({"containerID":"c2","ifname":"eth0"})").output, "");
  EXPECT_EQ(iptables_rules().find("id: \\\"c1\\\""), std::string::npos) << iptables_rules();
  EXPECT_NE(iptables_rules().find("id: \\\"c2\\\""), std::string::npos) << iptables_rules();
  EXPECT_EQ(collect("").output, "");
  EXPECT_EQ(iptables_rules(), "");
}

TEST_F(cni_legacy_masquerade, rules_of_nftables_go_by_their_comment) {
  for (const char *id : {"c1", "c2", "c3"})
    make_nft_rule(id);
  EXPECT_EQ(nft_rules(), "id: c1\nid: c2\nid: c3\n");
  EXPECT_EQ(driver.call(Command::del, "c1", config()).output, "");
  EXPECT_EQ(nft_rules(), "id: c2\nid: c3\n");
  EXPECT_EQ(collect(R"({"containerID":"c3","ifname":"eth0"})").output, "");
  EXPECT_EQ(nft_rules(), "id: c3\n");
}

TEST_F(cni_legacy_masquerade, where_there_is_nothing_nothing_is_made_and_nothing_is_run) {
  EXPECT_EQ(driver.call(Command::del, "c1", config()).output, "");
  EXPECT_EQ(driver.on_host("nft list ruleset"), "");
}

} // namespace
} // namespace sluice::cni
