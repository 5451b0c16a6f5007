#include "kernel/probe.hpp"

#include "kernel/spawn.hpp"

#include <gtest/gtest.h>

namespace sluice::kernel {
namespace {

/// Whether a command succeeds in a namespace of its own.
bool works(const std::string &command) {
  const auto output =
      run_program({.argv = {"unshare", "-n", "sh", "-c", command}}, "", std::chrono::seconds(20));
  return output && output->status.success();
}

TEST(kernel_probe, agrees_with_what_the_tools_can_do) {
  const auto features = probe_features();
  ASSERT_TRUE(features) << features.error().what();
  EXPECT_EQ(features->nf_tables.has_value(), works("nft add table inet t"));
  EXPECT_EQ(features->bridge.has_value(), works("ip link add name slc0 type bridge"));
  EXPECT_EQ(features->veth.has_value(), works("ip link add name slc0 type veth peer name slc1"));
  EXPECT_EQ(features->vxlan.has_value(), works("ip link add name slc0 type vxlan id 1 dstport 0"));
  EXPECT_EQ(features->ipv6.has_value(), works("ip -6 address add ::2/128 dev lo"));
  EXPECT_EQ(features->br_netfilter.has_value(),
            works("test -e /proc/sys/net/bridge/bridge-nf-call-iptables"));
}

} // namespace
} // namespace sluice::kernel
