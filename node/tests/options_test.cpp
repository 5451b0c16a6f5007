#include "node/options.hpp"

#include <gtest/gtest.h>

namespace sluice::node {
namespace {

CommandLine parse(std::vector<const char *> arguments) {
  arguments.insert(arguments.begin(), "sluice-node");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(node_options, everything_has_a_default) {
  const auto line = parse({});
  ASSERT_FALSE(line.exit_code) << line.text;
  EXPECT_FALSE(line.options.settings.node_name.empty());
  EXPECT_EQ(line.options.settings.bridge, "cni0");
  EXPECT_EQ(line.options.cni_conf_dir, "/etc/cni/net.d");
  EXPECT_EQ(line.options.cni_conf_name, "10-sluice.conflist");
}

TEST(node_options, flags_are_read) {
  const auto line =
      parse({"--kubeconfig", "/k", "--node-name", "n1", "--cluster-cidr",
             "10.244.0.0/16,2001:db8::/48", "--mtu", "1450", "--bridge=br0", "-v", "--dry-run"});
  ASSERT_FALSE(line.exit_code) << line.text;
  EXPECT_EQ(line.options.settings.cluster_cidrs.size(), 2U);
  EXPECT_EQ(line.options.settings.mtu_bytes, 1450U);
  EXPECT_EQ(line.options.settings.bridge, "br0");
  EXPECT_TRUE(line.options.verbose && line.options.dry_run);
}

TEST(node_options, what_makes_no_sense_is_refused_by_its_name) {
  struct Case {
    std::vector<const char *> arguments;
    const char *words;
    int line;
  };
  const Case cases[] = {
      {{"--cluster-cidr", "10.244.0.1/16"}, "--cluster-cidr", __LINE__},
      {{"--cni-conf-name", "../passwd.conflist"}, "--cni-conf-name", __LINE__},
      {{"--cni-conf-name", "sluice.conf"}, "\"sluice.conf\"", __LINE__},
      {{"--bridge", "a-bridge-with-a-long-name"}, "--bridge", __LINE__},
      {{"--mtu", "12"}, "--mtu", __LINE__},
      {{"--mtu", "many"}, "--mtu", __LINE__},
      {{"--node-name", ""}, "--node-name", __LINE__},
      {{"--no-such-flag"}, "--no-such-flag", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto line = parse(c.arguments);
    ASSERT_TRUE(line.exit_code);
    EXPECT_NE(*line.exit_code, 0);
    EXPECT_NE(line.text.find(c.words), std::string::npos) << line.text;
  }
}

TEST(node_options, help_is_no_error) {
  const auto line = parse({"--help"});
  ASSERT_TRUE(line.exit_code);
  EXPECT_EQ(*line.exit_code, 0);
  EXPECT_NE(line.text.find("--cluster-cidr"), std::string::npos);
}

} // namespace
} // namespace sluice::node
