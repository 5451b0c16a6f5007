// The drop-in `tuning` on interfaces of namespaces of our own, alone and beside Debian's.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

const std::string kTheirs = "/usr/lib/cni/tuning";

class cni_tuning : public testing::Test {
protected:
  void SetUp() override {
    driver.in_pod("c1", "ip link add eth0 address 02:00:00:00:00:01 type veth peer name other");
    before = link();
  }
  std::string config(const std::string &members) const {
    return R"({"cniVersion":"1.0.0","name":"net","type":"tuning","dataDir":")" + folder() + "\"," +
           members + R"(,"prevResult":)" + previous + "}";
  }
  PluginRun call(Command command, const std::string &members, const Variables &variables = {}) {
    return driver.call(command, "c1", config(members), variables, ours);
  }
  std::string folder() const { return driver.folder().path() + "/tuning"; }
  std::string link() {
    return driver.in_pod("c1", "ip -j -d link show eth0 | jq -c '.[0] | [.address, .mtu, "
                               ".promiscuity, .allmulti, .txqlen]'");
  }
  std::string sysctl(const std::string &key) { return driver.in_pod("c1", "sysctl -n " + key); }

  Driver driver;
  std::string before;
  const std::string ours = driver.program("tuning");
  const std::string previous = R"({"cniVersion":"1.0.0","interfaces":[{"name":"veth1"},)"
                               R"({"name":"eth0","mac":"02:00:00:00:00:01","sandbox":"/x"}]})";
  const std::string all = R"("mac":"02:00:00:00:00:02","mtu":1400,"promisc":true,)"
                          R"("allmulti":true,"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1",)"
                          R"("net.ipv4.ip_local_port_range":"2000 3000"})";
  const std::string changed = "[\"02:00:00:00:00:02\",1400,1,1,";
};

TEST_F(cni_tuning, every_attribute_is_set_checked_and_put_back) {
  const auto run = call(Command::add, all + ",\"txQLen\":77");
  EXPECT_EQ(run.exit_status, 0) << run.output;
  EXPECT_EQ(link(), changed + "77]\n");
  EXPECT_EQ(sysctl("net.ipv4.conf.eth0.arp_filter"), "1\n");
  EXPECT_EQ(sysctl("net.ipv4.ip_local_port_range"), "2000\t3000\n");
  EXPECT_NE(run.output.find("\"mac\":\"02:00:00:00:00:02\""), std::string::npos) << run.output;
  EXPECT_EQ(listing(folder()), "c1_eth0.json");
  EXPECT_EQ(call(Command::check, all + ",\"txQLen\":77").output, "");
  EXPECT_NE(call(Command::check, all + ",\"txQLen\":78").output.find("\"code\":102"),
            std::string::npos);
  driver.in_pod("c1", "sysctl -w net.ipv4.conf.eth0.arp_filter=0");
  EXPECT_NE(call(Command::check, all).output.find("arp_filter"), std::string::npos);
  EXPECT_EQ(call(Command::del, all).output, "");
  EXPECT_EQ(link(), before);
  EXPECT_EQ(listing(folder()), "");
  EXPECT_EQ(call(Command::del, all).output, "");
}

TEST_F(cni_tuning, without_attributes_the_result_passes_through_and_nothing_is_saved) {
  const auto run = call(Command::add, R"("sysctl":{})");
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_NE(run.output.find("\"mac\":\"02:00:00:00:00:01\""), std::string::npos) << run.output;
  EXPECT_EQ(listing(folder()), "");
}

TEST_F(cni_tuning, a_refused_change_leaves_the_interface_as_it_was) {
  // A multicast address is none that an interface can have; the queue length would be set after it.
  const auto run = call(Command::add, R"("mac":"03:00:00:00:00:02","mtu":1400,"promisc":true)");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(link(), before);
  EXPECT_EQ(listing(folder()), "");
}

TEST_F(cni_tuning, del_never_fails) {
  ASSERT_EQ(call(Command::add, all).exit_status, 0);
  driver.in_pod("c1", "ip link del eth0");
  EXPECT_EQ(call(Command::del, all).output, "");
  EXPECT_EQ(listing(folder()), "");
  driver.remove_pod("c1");
  EXPECT_EQ(call(Command::del, R"("sysctl":7,"mtu":"x")", {{"CNI_NETNS", ""}}).output, "");
  EXPECT_EQ(call(Command::del, all, {{"CNI_NETNS", "/gone"}}).output, "");
}

TEST_F(cni_tuning, without_a_previous_result_add_is_refused) {
  const auto run =
      driver.call(Command::add, "c1",
                  R"({"cniVersion":"1.0.0","name":"net","type":"tuning","mtu":1400})", {}, ours);
  EXPECT_NE(run.output.find("prevResult is missing"), std::string::npos) << run.output;
}

TEST_F(cni_tuning, each_puts_back_what_the_other_changed) {
  if (::access(kTheirs.c_str(), X_OK) != 0)
    GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  const auto theirs = [&](Command command) {
    return driver.call(command, "c1", config(all), {}, kTheirs);
  };
  const auto run = theirs(Command::add);
  ASSERT_EQ(run.exit_status, 0) << run.output;
  EXPECT_TRUE(link().starts_with(changed)) << link();
  const auto their_backup = file_content(folder() + "/c1_eth0.json");
  EXPECT_EQ(call(Command::check, all).output, "");
  EXPECT_EQ(call(Command::del, all).output, "");
  EXPECT_EQ(link(), before);

  ASSERT_EQ(call(Command::add, all).exit_status, 0);
  // And says to which network it belongs, for GC.
  EXPECT_EQ(file_content(folder() + "/c1_eth0.json"),
            R"({"network":"net",)" + their_backup.substr(1));
  EXPECT_EQ(theirs(Command::del).exit_status, 0);
  EXPECT_EQ(link(), before);
}

} // namespace
} // namespace sluice::cni
