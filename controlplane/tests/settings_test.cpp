#include "controlplane/settings.hpp"

#include <gtest/gtest.h>

namespace sluice::controlplane {
namespace {

CommandLine parse(std::vector<const char *> arguments) {
  arguments.insert(arguments.begin(), "sluice-controlplane");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(controlplane_settings, defaults_are_those_of_the_documentation) {
  const auto line = parse({});
  EXPECT_EQ(line.verb, CommandLine::Verb::serve);
  EXPECT_EQ(line.settings.dataDir, "/var/lib/sluice");
  EXPECT_TRUE(line.settings.listen.empty());
  EXPECT_EQ(line.settings.serviceCidrs, std::vector{*Cidr::parse("10.96.0.0/16")});
  EXPECT_EQ(line.settings.clusterCidrs, std::vector{*Cidr::parse("10.244.0.0/16")});
  EXPECT_EQ(line.settings.nodePortFirst, 30000);
  EXPECT_EQ(line.settings.nodePortLast, 32767);
}

TEST(controlplane_settings, reads_addresses_networks_and_ranges) {
  const auto line = parse({"--listen", "[::1]:0", "--listen", "192.0.2.1:6443", "--service-cidr",
                           "fd96::/108,10.96.0.0/16", "--service-node-port-range", "20000-20010",
                           "--advertise-address", "192.0.2.1", "--node-grace-period", "5"});
  ASSERT_EQ(line.verb, CommandLine::Verb::serve);
  ASSERT_EQ(line.settings.listen.size(), 2U);
  EXPECT_EQ(line.settings.listen[0].port.value, 0);
  EXPECT_EQ(line.settings.listen[1].str(), "192.0.2.1:6443");
  EXPECT_EQ(line.settings.serviceCidrs.front().family(), Family::ipv6);
  EXPECT_EQ(line.settings.nodePortLast, 20010);
  EXPECT_EQ(line.settings.nodeGracePeriod, std::chrono::seconds(5));
}

TEST(controlplane_settings, what_makes_no_sense_ends_with_status_2) {
  const std::vector<std::vector<const char *>> cases = {
      {"--listen", "somewhere"},
      {"--listen", "192.0.2.1:70000"},
      {"--service-cidr", "10.96.0.1/16"},
      {"--service-cidr", "10.96.0.0/16,10.97.0.0/16"},
      {"--service-cidr", ""},
      {"--service-node-port-range", "30000"},
      {"--service-node-port-range", "32767-30000"},
      {"--advertise-address", "localhost"},
      {"--node-cidr-mask-size", "33"},
      {"--no-such-flag"},
      {"kubeconfig", "--user", "u"},
  };
  for (const auto &arguments : cases) {
    SCOPED_TRACE(arguments.front());
    const auto line = parse(arguments);
    EXPECT_EQ(line.verb, CommandLine::Verb::exit);
    EXPECT_EQ(line.exit_code, 2);
  }
}

TEST(controlplane_settings, kubeconfig_is_a_verb_of_its_own) {
  const auto line = parse({"kubeconfig", "--data-dir", "/d", "--user", "u", "--group", "a",
                           "--group", "b", "--server", "https://[::1]:6443"});
  ASSERT_EQ(line.verb, CommandLine::Verb::kubeconfig);
  EXPECT_EQ(line.kubeconfig.dataDir, "/d");
  EXPECT_EQ(line.kubeconfig.groups, (std::vector<std::string>{"a", "b"}));
}

} // namespace
} // namespace sluice::controlplane
