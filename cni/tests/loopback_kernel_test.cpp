// The program under the name `loopback`.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class cni_loopback : public testing::Test {
protected:
  cni_loopback() { driver.in_pod("c1", "ip link set lo down; ip addr flush dev lo"); }
  static std::string config(const std::string &version) {
    return R"({"cniVersion":")" + version + R"(","name":"lo","type":"loopback"})";
  }
  PluginRun call(Command command, const std::string &text, const Variables &variables = {}) {
    return driver.call(command, "c1", text, variables, driver.program("loopback"));
  }
  std::string flags() { return driver.in_pod("c1", "ip -j link show lo | jq -c '.[0].flags'"); }
  Driver driver;
};

TEST_F(cni_loopback, lo_comes_up_with_both_addresses_in_every_version) {
  struct Case {
    const char *version, *mentions;
    int line;
  };
  const Case cases[] = {
      {"0.2.0", R"("ip4":{"ip":"127.0.0.1/8")", __LINE__},
      {"0.3.1", R"("address":"127.0.0.1/8")", __LINE__},
      {"0.4.0", R"("address":"::1/128")", __LINE__},
      {"1.0.0", R"("name":"lo","mac":"00:00:00:00:00:00")", __LINE__},
      {"1.1.0", R"("address":"::1/128")", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.version) + " (line " + std::to_string(c.line) + ")");
    const auto run = call(Command::add, config(c.version));
    EXPECT_EQ(run.exit_status, 0) << run.output;
    EXPECT_TRUE(contains(run.output, c.mentions)) << run.output;
    EXPECT_TRUE(contains(flags(), "\"UP\""));
    EXPECT_TRUE(contains(driver.in_pod("c1", "ping -c1 -W1 127.0.0.1"), " 0% packet loss"));
    EXPECT_TRUE(contains(driver.in_pod("c1", "ping -c1 -W1 ::1"), " 0% packet loss"));
    EXPECT_EQ(call(Command::del, config(c.version)).output, "");
    EXPECT_FALSE(contains(flags(), "\"UP\""));
  }
}

TEST_F(cni_loopback, check_notices_that_it_is_down) {
  const auto text = config("1.1.0");
  EXPECT_EQ(call(Command::add, text).exit_status, 0);
  EXPECT_EQ(call(Command::check, text).output, "");
  driver.in_pod("c1", "ip link set lo down");
  const auto run = call(Command::check, text);
  EXPECT_TRUE(contains(run.output, "\"code\":102,")) << run.output;
  EXPECT_TRUE(contains(run.output, "is down")) << run.output;
}

TEST_F(cni_loopback, the_previous_result_is_handed_on) {
  const auto run = call(
      Command::add,
      with_previous(
          config("1.0.0"),
          R"({"cniVersion":"1.0.0","interfaces":[{"name":"eth0"}],"ips":[{"address":"10.0.0.9/24"}]})"));
  EXPECT_EQ(run.exit_status, 0) << run.output;
  EXPECT_TRUE(contains(run.output, "10.0.0.9/24")) << run.output;
  EXPECT_FALSE(contains(run.output, "127.0.0.1")) << run.output;
}

TEST_F(cni_loopback, another_address_on_lo_is_refused) {
  driver.in_pod("c1", "ip addr add 192.0.2.1/32 dev lo");
  const auto run = call(Command::add, config("1.0.0"));
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_TRUE(contains(run.output, "192.0.2.1/32")) << run.output;
}

TEST_F(cni_loopback, del_status_and_gc_have_nothing_to_complain_of) {
  const auto text = config("1.1.0");
  EXPECT_EQ(call(Command::del, text, {{"CNI_NETNS", ""}}).output, "");
  EXPECT_EQ(call(Command::del, text, {{"CNI_NETNS", "/run/netns/slc-gone"}}).output, "");
  EXPECT_EQ(call(Command::status, text).output, "");
  const auto run = call(Command::add, text, {{"CNI_NETNS", "/run/netns/slc-gone"}});
  EXPECT_TRUE(contains(run.output, "\"code\":3,")) << run.output;
}

} // namespace
} // namespace sluice::cni
