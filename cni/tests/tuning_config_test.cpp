#include "cni/tuning_config.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

Outcome<TuningConfig> parse(const std::string &members, std::string_view args = "") {
  const auto config = parse_config(
      R"({"cniVersion":"1.0.0","name":"net","type":"tuning",)" + members + "}", Strictness::strict);
  EXPECT_TRUE(config) << members;
  return parse_tuning_config(*config, args, "eth0");
}

std::string mac_of(const std::string &members, std::string_view args = "") {
  const auto config = parse(members, args);
  if (!config)
    return config.error().message();
  return config->link.mac ? config->link.mac->str() : "none";
}

TEST(cni_tuning_config, sysctl_keys_become_paths_below_net_only) {
  const struct {
    int line;
    const char *key, *path; // "": refused
  } cases[] = {
      {__LINE__, "net.ipv4.conf.IFNAME.rp_filter", "net/ipv4/conf/eth0.7/rp_filter"},
      {__LINE__, "net/ipv4/conf/IFNAME/rp_filter", "net/ipv4/conf/eth0.7/rp_filter"},
      {__LINE__, "net.ipv4.conf.eth0/7.rp_filter", "net/ipv4/conf/eth0.7/rp_filter"},
      {__LINE__, "net.core.somaxconn", "net/core/somaxconn"},
      {__LINE__, "kernel.shmmax", ""},
      {__LINE__, "net", ""},
      {__LINE__, "net/../kernel/shmmax", ""},
      {__LINE__, "net.//.kernel.shmmax", ""},
      {__LINE__, "net/ipv4/./ip_forward", ""},
      {__LINE__, "net..ip_forward", ""},
      {__LINE__, "", ""},
      {__LINE__, "/net/ipv4/ip_forward", ""},
      {__LINE__, "network.thing", ""},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    EXPECT_EQ(sysctl_path(c.key, "eth0.7").value_or(""), c.path);
  }
}

TEST(cni_tuning_config, what_is_not_asked_for_is_left_alone) {
  const auto config = parse(R"("mtu":0,"promisc":false,"mac":"")");
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->link.empty());
  EXPECT_TRUE(config->sysctls.empty());
  EXPECT_EQ(config->data_dir, "/run/cni/tuning");
}

TEST(cni_tuning_config, every_attribute_reads_and_args_win) {
  const auto config =
      parse(R"("sysctl":{"net.core.somaxconn":"500","net.ipv4.ip_forward":"1"},"mtu":1400,
               "promisc":true,"allmulti":false,"txQLen":20,"dataDir":"/x",
               "args":{"cni":{"sysctl":{"net.core.somaxconn":"600"},"mtu":1300,"allmulti":true}})");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->link.mtu_bytes, 1300U);
  EXPECT_EQ(config->link.promiscuous, true);
  EXPECT_EQ(config->link.all_multicast, true);
  EXPECT_EQ(config->link.tx_queue_packets, 20U);
  EXPECT_EQ(config->data_dir, "/x");
  ASSERT_EQ(config->sysctls.size(), 2U);
  EXPECT_EQ(config->sysctls[0], (SysctlSetting{"net.core.somaxconn", "net/core/somaxconn", "600"}));
}

TEST(cni_tuning_config, the_mac_has_an_order_of_precedence) {
  const std::string own = R"("mac":"02:00:00:00:00:01")";
  const std::string runtime = R"(,"runtimeConfig":{"mac":"02:00:00:00:00:03"})";
  const std::string cni_args = R"(,"args":{"cni":{"mac":"02:00:00:00:00:04"}})";
  const char *env = "MAC=02:00:00:00:00:02";
  EXPECT_EQ(mac_of(own), "02:00:00:00:00:01");
  EXPECT_EQ(mac_of(own, env), "02:00:00:00:00:02");
  EXPECT_EQ(mac_of(own + runtime, env), "02:00:00:00:00:03");
  EXPECT_EQ(mac_of(own + runtime + cni_args, env), "02:00:00:00:00:04");
}

TEST(cni_tuning_config, wrong_values_are_refused_and_named) {
  const struct {
    int line;
    const char *members, *mentions;
  } cases[] = {
      {__LINE__, R"("sysctl":{"net.a.b":"1","net.a.b":"2"})", "\"net.a.b\" is there twice"},
      {__LINE__, R"("args":{"cni":{"sysctl":{"net.a.b":"1","net.a.b":"2"}}})", "twice"},
      {__LINE__, R"("sysctl":{"kernel.shmmax":"1"})", "kernel.shmmax"},
      {__LINE__, R"("sysctl":{"net.a.b":1})", "sysctl.net.a.b is 1: expected a string"},
      {__LINE__, R"("sysctl":"net")", "sysctl is \"net\""},
      {__LINE__, R"("mtu":-1)", "mtu is -1"},
      {__LINE__, R"("mtu":"big")", "mtu is \"big\""},
      {__LINE__, R"("txQLen":-5)", "txQLen is -5"},
      {__LINE__, R"("promisc":"yes")", "promisc is \"yes\""},
      {__LINE__, R"("mac":"02:00")", "MAC address"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    const auto config = parse(c.members);
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message().find(c.mentions), std::string::npos)
        << config.error().message();
  }
}

TEST(cni_tuning_config, the_allowlist_is_a_list_of_expressions) {
  const std::vector<SysctlSetting> settings = {
      {"net.ipv4.conf.IFNAME.rp_filter", "net/ipv4/conf/eth0/rp_filter", "0"}};
  const struct {
    int line;
    const char *list;
    bool allowed;
  } cases[] = {
      {__LINE__, "^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$\n", true},
      {__LINE__, "^net\\.core\n\nrp_(filter|other)", true},
      {__LINE__, "^net\\.core", false},
      {__LINE__, "", false},
      {__LINE__, "rp_filter\n(", false},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.line);
    EXPECT_EQ(check_allowlist(settings, c.list).has_value(), c.allowed);
  }
  EXPECT_TRUE(check_allowlist({}, ""));
}

TEST(cni_tuning_config, a_backup_reads_back_and_holds_only_what_changes) {
  LinkTuning change;
  change.mtu_bytes = 1400;
  change.promiscuous = true;
  const kernel::Link link{.mtu_bytes = 1500, .promiscuous = false, .tx_queue_packets = 1000};
  const auto saved = saved_attributes(change, link);
  EXPECT_EQ(backup_text(saved), "{\n \"promisc\": false,\n \"mtu\": 1500\n}");
  EXPECT_EQ(parse_backup(backup_text(saved)), saved);
  const auto theirs = parse_backup(R"({"mac":"c2:11:22:33:44:55","allmulti":false,"txQLen":7})");
  EXPECT_EQ(theirs.mac->str(), "c2:11:22:33:44:55");
  EXPECT_EQ(theirs.all_multicast, false);
  EXPECT_EQ(theirs.tx_queue_packets, 7U);
  EXPECT_TRUE(parse_backup("{").empty());
  EXPECT_TRUE(parse_backup("[]").empty());
}

TEST(cni_tuning_config, check_names_what_differs) {
  const kernel::Link link{.mtu_bytes = 1500, .promiscuous = true, .tx_queue_packets = 10};
  LinkTuning wanted{.mtu_bytes = 1500, .promiscuous = true};
  EXPECT_TRUE(check_link(wanted, link));
  wanted.all_multicast = true;
  EXPECT_EQ(check_link(wanted, link).error().message(),
            "allmulti of the interface is off, the configuration has on");
  EXPECT_TRUE(same_sysctl_value("1024\t65535", "1024 65535 "));
  EXPECT_FALSE(same_sysctl_value("10", "1 0"));
}

} // namespace
} // namespace sluice::cni
