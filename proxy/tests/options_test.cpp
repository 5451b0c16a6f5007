#include "proxy/options.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;

CommandLine parse(std::vector<const char *> arguments) {
  arguments.insert(arguments.begin(), "sluice-proxy");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

std::string config(const std::string &fields) {
  return "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n" + fields;
}

TEST(proxy_options, flags_are_kube_proxys) {
  const auto line =
      parse({"--kubeconfig=/etc/k", "--hostname-override", "n1",
             "--cluster-cidr=10.244.0.0/16,2001:db8:1::/48", "--detect-local-mode=BridgeInterface",
             "--pod-bridge-interface=cni0", "--masquerade-all=true", "--iptables-masquerade-bit=15",
             "--iptables-min-sync-period=1s", "--iptables-sync-period=1m30s",
             "--healthz-bind-address=127.0.0.1:20256", "--metrics-bind-address=[::1]:0",
             "--nodeport-addresses=192.0.2.0/24,2001:db8::/64", "--v=4"});
  ASSERT_FALSE(line.exitCode) << line.text;
  const auto &options = line.options;
  EXPECT_EQ(options.kubeconfig, "/etc/k");
  EXPECT_EQ(options.hostnameOverride, "n1");
  EXPECT_EQ(options.node.clusterCidrs.size(), 2U);
  EXPECT_EQ(options.node.detectLocal, DetectLocalMode::bridge_interface);
  EXPECT_EQ(options.node.interface, "cni0");
  EXPECT_TRUE(options.node.masqueradeAll);
  EXPECT_EQ(options.node.masqueradeBit, 15);
  EXPECT_EQ(options.periods.min, 1s);
  EXPECT_EQ(options.periods.period, 90s);
  EXPECT_EQ(options.healthzBindAddress, "127.0.0.1:20256");
  EXPECT_EQ(options.metricsBindAddress, "") << "port 0 is off";
  EXPECT_EQ(options.node.nodePortAddresses.size(), 2U);
  EXPECT_EQ(options.verbosity, 4);
}

TEST(proxy_options, what_makes_no_sense_is_refused_with_a_reason) {
  const struct {
    std::vector<const char *> arguments;
    const char *says;
    int line;
  } kCases[] = {
      {{"--proxy-mode=ipvs"}, "no such data plane yet", __LINE__},
      {{"--proxy-mode=userspace"}, "one of nftables", __LINE__},
      {{"--cluster-cidr=10.0.0.0/8,10.1.0.0/16"}, "one of each family", __LINE__},
      {{"--cluster-cidr=10.0.0.0"}, "--cluster-cidr", __LINE__},
      {{"--detect-local-mode=Magic"}, "\"Magic\"", __LINE__},
      {{"--detect-local-mode=BridgeInterface"}, "--pod-bridge-interface", __LINE__},
      {{"--nodeport-addresses=primary,10.0.0.0/8"}, "cannot be mixed", __LINE__},
      {{"--iptables-sync-period=5"}, "no duration", __LINE__},
      {{"--iptables-min-sync-period=40s"}, "must not be longer", __LINE__},
      {{"--iptables-masquerade-bit=32"}, "0 to 31", __LINE__},
      {{"--healthz-bind-address=here"}, "\"here\"", __LINE__},
      {{"--no-such-flag=1"}, "no-such-flag", __LINE__},
      {{"--config=/nonexistent/proxy.yaml"}, "/nonexistent/proxy.yaml", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto line = parse(c.arguments);
    ASSERT_TRUE(line.exitCode);
    EXPECT_NE(*line.exitCode, 0);
    EXPECT_NE(line.text.find(c.says), std::string::npos) << line.text;
  }
}

TEST(proxy_options, a_kube_proxy_configuration_is_read) {
  ProxyOptions options;
  const auto read = read_config(config(R"(
mode: nftables
hostnameOverride: n7
clusterCIDR: 10.244.0.0/16
clientConnection: {kubeconfig: /var/lib/kube-proxy/kubeconfig.conf, qps: 0}
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: ""
detectLocalMode: InterfaceNamePrefix
detectLocal: {bridgeInterface: "", interfaceNamePrefix: veth}
nftables: {masqueradeAll: true, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 10s}
iptables: {masqueradeAll: false, localhostNodePorts: null, syncPeriod: 0s}
ipvs: {scheduler: rr}
conntrack: {maxPerCore: null}
winkernel: null
nodePortAddresses: [192.0.2.0/24]
)"),
                                options);
  ASSERT_TRUE(read) << read.error().what();
  EXPECT_EQ(options.hostnameOverride, "n7");
  EXPECT_EQ(options.kubeconfig, "/var/lib/kube-proxy/kubeconfig.conf");
  EXPECT_EQ(options.node.detectLocal, DetectLocalMode::interface_name_prefix);
  EXPECT_EQ(options.node.interface, "veth");
  EXPECT_TRUE(options.node.masqueradeAll);
  EXPECT_EQ(options.node.masqueradeBit, 14);
  EXPECT_EQ(options.periods.period, 10s);
  EXPECT_EQ(options.metricsBindAddress, "127.0.0.1:10249");
  EXPECT_EQ(options.node.nodePortAddresses.size(), 1U);
  EXPECT_EQ(options.withoutEffect, std::vector<std::string>{"ipvs.scheduler"});
  EXPECT_TRUE(validate(options));
}

TEST(proxy_options, a_bad_configuration_is_refused_by_the_path_of_the_field) {
  const struct {
    const char *yaml, *says;
    int line;
  } kCases[] = {
      {"nftables: {masqueradBit: 14}\n", "unknown field \"nftables.masqueradBit\"", __LINE__},
      {"modes: nftables\n", "unknown field \"modes\"", __LINE__},
      {"nftables: 3\n", "\"nftables\": an object is expected", __LINE__},
      {"nftables: {syncPeriod: soon}\n", "\"nftables.syncPeriod\"", __LINE__},
      {"nftables: {masqueradeAll: perhaps}\n", "\"perhaps\" is neither", __LINE__},
      {"nodePortAddresses: primary\n", "a list is expected", __LINE__},
      {"clusterCIDR: [a, b]\n", "\"clusterCIDR\"", __LINE__},
      {"a: [\n", "no valid YAML", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    ProxyOptions options;
    const auto read = read_config(config(c.yaml), options);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().what().find(c.says), std::string::npos) << read.error().what();
  }
  ProxyOptions options;
  EXPECT_FALSE(read_config("kind: KubeletConfiguration\n", options));
  EXPECT_FALSE(read_config("", options));
  EXPECT_FALSE(read_config("- 1\n", options));
}

TEST(proxy_options, durations_are_gos) {
  EXPECT_EQ(*parse_duration("1h2m3.5s"), 1h + 2min + 3500ms);
  EXPECT_EQ(*parse_duration("100us"), 100us);
  EXPECT_EQ(*parse_duration("0"), 0ns);
  for (const auto *bad : {"", "s", "5", "-1s", "1d", "1s2", "nan", "1e9h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

} // namespace
} // namespace sluice::proxy
