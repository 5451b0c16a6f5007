// ipMasqBackend iptables: the reference plugins' rules, beside Debian's bridge and ptp.
#include "cni/portmap/tests/talk.hpp"
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

const std::string kFolder = "/usr/lib/cni/";

class cni_masquerade_iptables : public testing::Test {
protected:
  /// For version 1.0.0, Debian's newest.
  std::string config(const std::string &members) const {
    auto text = driver.config(
        R"("isDefaultGateway":true,"ipMasq":true,)" + members,
        R"("type":"host-local","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])");
    return text.replace(text.find("1.1.0"), 5, "1.0.0");
  }
  std::string asked() const { return config(R"("ipMasqBackend":"iptables",)"); }
  PluginRun call(Command command, const std::string &id, const std::string &text,
                 const std::string &program) {
    return driver.call(command, id, text, {{"CNI_PATH", kFolder}}, program);
  }
  std::string rules() {
    return driver.on_host(
        "{ iptables-save -t nat; ip6tables-save -t nat; } 2>/dev/null | grep ^-A");
  }
  static bool has_theirs() { return ::access((kFolder + "bridge").c_str(), X_OK) == 0; }
  Driver driver;
};

TEST_F(cni_masquerade_iptables, the_rules_are_byte_for_byte_those_of_the_reference_plugins) {
  if (!has_theirs())
    GTEST_SKIP() << kFolder << " is empty (Debian package containernetworking-plugins)";
  for (const std::string name : {"bridge", "ptp"}) {
    SCOPED_TRACE(name);
    const auto theirs = kFolder + name, ours = driver.program(name);
    // The same address twice: what was released is used again last, so the store is emptied.
    ASSERT_EQ(call(Command::add, "c1", asked(), theirs).exit_status, 0);
    const auto their_rules = rules();
    EXPECT_NE(their_rules.find("MASQUERADE"), std::string::npos) << their_rules;
    EXPECT_EQ(call(Command::del, "c1", asked(), ours).output, "");
    EXPECT_EQ(rules(), "");
    driver.on_host("rm -r " + driver.store());
    const auto run = call(Command::add, "c1", asked(), ours);
    ASSERT_EQ(run.exit_status, 0) << run.output;
    EXPECT_EQ(rules(), their_rules);
    EXPECT_EQ(driver.on_host("nft list tables inet"), "");
    EXPECT_EQ(call(Command::check, "c1", with_previous(asked(), run.output), ours).output, "");
    // Debian's finds what it has to remove by the result.
    const auto del = call(Command::del, "c1", with_previous(asked(), run.output), theirs);
    EXPECT_EQ(del.exit_status, 0) << del.output;
    EXPECT_EQ(rules(), "");
    driver.on_host("rm -r " + driver.store() + "; ip link del cni0");
  }
}

TEST_F(cni_masquerade_iptables, it_works_is_checked_and_goes_with_the_pod) {
  const auto outside = driver.netns_of("outside");
  driver.on_host("ip link add up0 type veth peer name eth0 netns " + outside +
                 "; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up");
  driver.in_pod("outside", "ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up");
  const auto to = SocketAddress::parse("192.0.2.2:80").value();
  const auto server = serve(driver.pod("outside"), Protocol::tcp, to);
  // Not what was asked for would be a second masquerade: the static rule must not be there.
  const auto text = [&](const std::string &members) {
    auto made = driver.config(R"("isDefaultGateway":true,"ipMasq":true,)" + members,
                              R"("type":"sluice-ipam","subnet":"10.77.0.0/24")");
    return made;
  };
  const std::string back_end = R"("ipMasqBackend":"iptables",)";
  for (const std::string mode : {"", R"("mode":"routed",)"}) {
    SCOPED_TRACE(mode);
    const auto run = driver.call(Command::add, "c1", text(back_end + mode));
    ASSERT_EQ(run.exit_status, 0) << run.output;
    EXPECT_EQ(driver.on_host("nft list tables inet"), "");
    EXPECT_EQ(seen_by(server, driver.pod("c1"), Protocol::tcp, to), "192.0.2.1");
    const auto checked = with_previous(text(back_end + mode), run.output);
    EXPECT_EQ(driver.call(Command::check, "c1", checked).output, "");
    driver.on_host("iptables -t nat -F POSTROUTING");
    const auto check = driver.call(Command::check, "c1", checked).output;
    EXPECT_NE(check.find("\"code\":102"), std::string::npos) << check;
    EXPECT_NE(check.find("POSTROUTING"), std::string::npos) << check;
    driver.remove_pod("c1");
    EXPECT_EQ(driver.call(Command::del, "c1", text(back_end + mode)).output, "");
    EXPECT_EQ(rules(), "");
  }
}

TEST_F(cni_masquerade_iptables, an_add_that_fails_leaves_no_rule_and_harms_none) {
  const auto text =
      driver.config(R"("isDefaultGateway":true,"ipMasq":true,"ipMasqBackend":"iptables",)",
                    R"("type":"static","addresses":[{"address":"10.77.0.9/24"}])");
  if (!has_theirs())
    GTEST_SKIP() << kFolder << " is empty (Debian package containernetworking-plugins)";
  auto old = text;
  old.replace(old.find("1.1.0"), 5, "1.0.0");
  ASSERT_EQ(call(Command::add, "c1", old, driver.program("bridge")).exit_status, 0);
  const auto before = rules();
  EXPECT_NE(before, "");
  const auto again = call(Command::add, "c1", old, driver.program("bridge"));
  EXPECT_NE(again.output.find("\"code\":101"), std::string::npos) << again.output;
  EXPECT_EQ(rules(), before) << "of the pod that is there";
  // The pod cannot be set up: a route by a gateway that is out of reach.
  auto broken = old;
  broken.replace(broken.find("10.77.0.9/24\"}]"), 15,
                 R"(10.77.0.8/24"}],"routes":[{"dst":"10.5.0.0/16","gw":"10.99.0.1"}])");
  const auto failed = call(Command::add, "c2", broken, driver.program("bridge"));
  EXPECT_NE(failed.output.find("set up container interface"), std::string::npos) << failed.output;
  EXPECT_EQ(rules(), before);
}

} // namespace
} // namespace sluice::cni
