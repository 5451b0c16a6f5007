#include "proxy/options.hpp"

#include "proxy/config/fields.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;

CommandLine parse(std::vector<std::string> arguments) {
  std::vector<const char *> words{"sluice-proxy"};
  for (const auto &argument : arguments)
    words.push_back(argument.c_str());
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

Result<ProxyOptions> load(std::vector<std::string> arguments) {
  const auto line = parse(std::move(arguments));
  if (line.exitCode)
    return fail(Errc::invalid_input, line.text);
  return load_options(line);
}

bool mentions(const std::vector<std::string> &warnings, const std::string &text) {
  return std::any_of(warnings.begin(), warnings.end(), [&](const std::string &warning) {
    return warning.find(text) != std::string::npos;
  });
}

/// A configuration file, gone at the end.
class ConfigFile {
public:
  explicit ConfigFile(const std::string &fields) {
    std::string pattern = std::filesystem::temp_directory_path() / "slc-options-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    write(fields);
  }
  ~ConfigFile() { std::filesystem::remove_all(folder_); }
  void write(const std::string &fields) const {
    std::ofstream(path()) << "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
                             "kind: KubeProxyConfiguration\n"
                          << fields;
  }
  std::string path() const { return folder_ / "config.conf"; }
  std::string flag() const { return "--config=" + path(); }

private:
  std::filesystem::path folder_;
};

TEST(proxy_options, flags_are_kube_proxys) {
  const auto options =
      load({"--kubeconfig=/etc/k", "--hostname-override", "n1",
            "--cluster-cidr=10.244.0.0/16,2001:db8:1::/48", "--detect-local-mode=BridgeInterface",
            "--pod-bridge-interface=cni0", "--masquerade-all", "--iptables-masquerade-bit=15",
            "--iptables-min-sync-period=1s", "--iptables-sync-period=1m30s",
            "--healthz-bind-address=127.0.0.1:20256", "--metrics-bind-address=[::1]:0",
            "--nodeport-addresses=192.0.2.0/24,2001:db8::/64", "--v=4", "--bind-address=192.0.2.9",
            "--oom-score-adj=-500", "--service-cidrs=172.30.0.0/16"});
  ASSERT_TRUE(options) << options.error().what();
  EXPECT_EQ(options->kubeconfig, "/etc/k");
  EXPECT_EQ(options->hostnameOverride, "n1");
  EXPECT_EQ(options->node.clusterCidrs.size(), 2U);
  EXPECT_EQ(options->node.detectLocal, DetectLocalMode::bridge_interface);
  EXPECT_EQ(options->node.interface, "cni0");
  EXPECT_TRUE(options->node.masqueradeAll);
  EXPECT_EQ(options->node.masqueradeBit, 15);
  EXPECT_EQ(options->node.bindAddress->str(), "192.0.2.9");
  EXPECT_EQ(options->node.serviceCidrs.size(), 1U);
  EXPECT_EQ(options->periods.min, 1s);
  EXPECT_EQ(options->periods.period, 90s);
  EXPECT_EQ(options->healthzBindAddress, "127.0.0.1:20256");
  EXPECT_EQ(options->metricsBindAddress, "") << "port 0 is off";
  EXPECT_EQ(options->node.nodePortAddresses.size(), 2U);
  EXPECT_EQ(options->config.logging.verbosity, 4);
  EXPECT_EQ(options->config.oomScoreAdj, -500);
  EXPECT_TRUE(options->warnings.empty());
}

TEST(proxy_options, the_flags_of_mode_ipvs_say_what_it_does) {
  const auto options =
      load({"--proxy-mode=ipvs", "--ipvs-scheduler=mh", "--ipvs-sync-period=10s",
            "--ipvs-min-sync-period=1s", "--ipvs-exclude-cidrs=192.0.2.0/24,2001:db8::/64",
            "--ipvs-strict-arp", "--ipvs-tcp-timeout=1h", "--ipvs-tcpfin-timeout=30s",
            "--ipvs-udp-timeout=90s", "--ipvs-drain-limit=15m"});
  ASSERT_TRUE(options) << options.error().what();
  EXPECT_EQ(options->periods.period, 10s);
  EXPECT_EQ(options->periods.min, 1s);
  EXPECT_EQ(options->ipvs.scheduler, "mh");
  EXPECT_EQ(options->config.ipvs.excludeCIDRs.size(), 2U);
  EXPECT_TRUE(options->ipvs.strictArp);
  EXPECT_EQ(options->ipvs.tcpTimeout, 1h);
  EXPECT_EQ(options->ipvs.tcpFinTimeout, 30s);
  EXPECT_EQ(options->ipvs.udpTimeout, 90s);
  EXPECT_EQ(options->ipvs.drainLimit, 15min);
  EXPECT_TRUE(options->warnings.empty());
  const auto fresh = load({"--proxy-mode=ipvs"});
  ASSERT_TRUE(fresh) << fresh.error().what();
  EXPECT_EQ(reload_for(*fresh, *options), Reload::restart);
}

TEST(proxy_options, without_flags_all_is_as_documented) {
  const auto options = load({});
  ASSERT_TRUE(options) << options.error().what();
  EXPECT_EQ(options->mode, "nftables");
  EXPECT_EQ(options->healthzBindAddress, "0.0.0.0:10256");
  EXPECT_EQ(options->metricsBindAddress, "127.0.0.1:10249");
  EXPECT_EQ(options->periods.period, 30s);
  EXPECT_EQ(options->periods.min, 0s);
  EXPECT_EQ(options->own.controlSocket, "/run/sluice/proxy.sock");
  EXPECT_FALSE(options->own.manageSysctls);
  EXPECT_EQ(options->sysctls.maxPerCore, 32768);
  EXPECT_EQ(options->sysctls.tcpCloseWaitTimeout, 1h);
  EXPECT_EQ(options->ipvs.scheduler, "rr");
  EXPECT_FALSE(options->node.bindAddress);
  EXPECT_TRUE(options->warnings.empty());
}

TEST(proxy_options, every_flag_that_stands_for_fields_sets_each_of_them) {
  const std::map<std::string, std::string> kOdd = {{"feature-gates", "A=true"},
                                                   {"vmodule", "a=1"},
                                                   {"cluster-cidr", "10.0.0.0/8"},
                                                   {"logging-format", "json"},
                                                   {"bind-address", "::1"},
                                                   {"proxy-mode", "nftables"},
                                                   {"kubeconfig", "/k"},
                                                   {"proxy-port-range", "1-2"},
                                                   {"nodeport-addresses", "10.0.0.0/8"},
                                                   {"detect-local-mode", "NodeCIDR"},
                                                   {"ipvs-exclude-cidrs", "10.0.0.0/8"},
                                                   {"show-hidden-metrics-for-version", "1.35"},
                                                   {"healthz-bind-address", "127.0.0.1:7"},
                                                   {"metrics-bind-address", "127.0.0.1:8"}};
  for (const auto &field : config::fields()) {
    if (field.flag.empty())
      continue;
    const std::string flag(field.flag);
    SCOPED_TRACE(flag);
    config::KubeProxyConfiguration any;
    const auto slot = field.slot(any);
    std::string text = "7";
    if (kOdd.count(flag) > 0)
      text = kOdd.at(flag);
    else if (auto *const *on = std::get_if<bool *>(&slot))
      text = **on ? "false" : "true";
    else if (std::holds_alternative<config::nanoseconds *>(slot))
      text = "7s";
    const auto line = parse({"--" + flag + "=" + text});
    ASSERT_FALSE(line.exitCode) << line.text;
    ASSERT_TRUE(config::set_text(slot, text));
    EXPECT_TRUE(config::equal(slot, config::slot_of(field, line.flags))) << field.path;
  }
}

TEST(proxy_options, spellings_of_go_programs_are_understood) {
  for (const auto *spelling : {"-v=4", "--v=4"})
    EXPECT_EQ(parse({spelling}).flags.logging.verbosity, 4) << spelling;
  EXPECT_EQ(parse({"--cluster_cidr", "10.0.0.0/8"}).flags.clusterCIDR, "10.0.0.0/8");
  EXPECT_FALSE(parse({"--iptables-localhost-nodeports=false"}).flags.iptables.localhostNodePorts);
  EXPECT_TRUE(parse({"--masquerade-all=true"}).flags.nftables.masqueradeAll);
  EXPECT_EQ(parse({"--oom-score-adj", "-10"}).flags.oomScoreAdj, -10);
}

TEST(proxy_options, what_makes_no_sense_is_refused_with_a_reason) {
  const struct {
    std::vector<std::string> arguments;
    const char *says;
    int line;
  } kCases[] = {
      {{"--proxy-mode=userspace"}, "none of nftables", __LINE__},
      {{"--cluster-cidr=10.0.0.0/8,10.1.0.0/16"}, "one of each family", __LINE__},
      {{"--cluster-cidr=10.0.0.0"}, "clusterCIDR", __LINE__},
      {{"--detect-local-mode=Magic"}, "\"Magic\"", __LINE__},
      {{"--detect-local-mode=BridgeInterface"}, "--pod-bridge-interface", __LINE__},
      {{"--nodeport-addresses=primary,10.0.0.0/8"}, "cannot be mixed", __LINE__},
      {{"--iptables-sync-period=5"}, "no duration", __LINE__},
      {{"--iptables-min-sync-period=40s"}, "is longer than", __LINE__},
      {{"--iptables-masquerade-bit=32"}, "0 to 31", __LINE__},
      {{"--proxy-mode=ipvs", "--iptables-masquerade-bit=27"}, "those of mode ipvs", __LINE__},
      {{"--ipvs-sync-period=0s"}, "ipvs.syncPeriod: longer than nothing", __LINE__},
      {{"--ipvs-sync-period=often"},
       "--ipvs-sync-period: read: \"often\" is no duration",
       __LINE__},
      {{"--ipvs-min-sync-period=31s"}, "is longer than syncPeriod, 30s", __LINE__},
      {{"--ipvs-scheduler=Round-Robin"}, "\"Round-Robin\" is no name of a scheduler", __LINE__},
      {{"--ipvs-exclude-cidrs=192.0.2.1"}, "ipvs.excludeCIDRs", __LINE__},
      {{"--ipvs-strict-arp=perhaps"}, "--ipvs-strict-arp", __LINE__},
      {{"--ipvs-tcp-timeout=-1s"}, "--ipvs-tcp-timeout: read: \"-1s\" is no duration", __LINE__},
      {{"--ipvs-tcpfin-timeout=2"}, "--ipvs-tcpfin-timeout: read: \"2\" is no duration", __LINE__},
      {{"--ipvs-udp-timeout=10000h"}, "ipvs.udpTimeout: 10000h0m0s is not in", __LINE__},
      {{"--ipvs-drain-limit=long"}, "--ipvs-drain-limit: \"long\" is no duration", __LINE__},
      {{"--drain-timeout=-5m"}, "--drain-timeout: \"-5m\" is no duration", __LINE__},
      {{"--healthz-bind-address=here"}, "\"here\"", __LINE__},
      {{"--masquerade-all=perhaps"}, "perhaps", __LINE__},
      {{"--healthz-port=70000"}, "--healthz-port", __LINE__},
      {{"--feature-gates=X"}, "--feature-gates", __LINE__},
      {{"--service-cidrs=x"}, "--service-cidrs", __LINE__},
      {{"--no-such-flag=1"}, "no-such-flag", __LINE__},
      {{"--config=/nonexistent/proxy.yaml"}, "/nonexistent/proxy.yaml", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto options = load(c.arguments);
    ASSERT_FALSE(options);
    EXPECT_NE(options.error().what().find(c.says), std::string::npos) << options.error().what();
  }
}

TEST(proxy_options, help_and_version_are_texts_with_exit_code_0) {
  for (const auto *flag : {"--help", "--version"}) {
    const auto line = parse({flag});
    EXPECT_EQ(line.exitCode, 0) << flag;
    EXPECT_FALSE(line.text.empty());
  }
  const auto help = parse({"--help"}).text;
  for (const auto &field : config::fields())
    EXPECT_NE(help.find("--" + std::string(field.flag)), std::string::npos) << field.flag;
}

TEST(proxy_options, servers_are_switched_off_as_kube_proxy_does) {
  for (const auto &given : std::vector<std::vector<std::string>>{
           {"--healthz-bind-address=", "--metrics-bind-address="},
           {"--healthz-bind-address=0.0.0.0:0", "--metrics-bind-address=[::]:0"},
           {"--healthz-port=0", "--metrics-port=0"}}) {
    SCOPED_TRACE(given.front());
    const auto off = load(given);
    ASSERT_TRUE(off) << off.error().what();
    EXPECT_EQ(off->healthzBindAddress, "");
    EXPECT_EQ(off->metricsBindAddress, "");
  }
  const auto old = load({"--healthz-port=0", "--metrics-port=0"});
  ASSERT_TRUE(old) << old.error().what();
  EXPECT_TRUE(mentions(old->warnings, "deprecated: --healthz-port"));
  EXPECT_EQ(load({"--metrics-bind-address=127.0.0.1", "--metrics-port=99"})->metricsBindAddress,
            "127.0.0.1:99");
}

TEST(proxy_options, a_file_replaces_the_flags_but_for_logging_and_our_own) {
  const ConfigFile file("mode: nftables\nclusterCIDR: 10.1.0.0/16\nhostnameOverride: filed\n"
                        "logging: {verbosity: 1}\n");
  const auto options =
      load({file.flag(), "--cluster-cidr=10.9.0.0/16", "--masquerade-all", "--v=5",
            "--hostname-override=flagged", "--master=http://127.0.0.1:1",
            "--control-socket=/tmp/x.sock", "--service-cidrs=172.30.0.0/16", "--metrics-port=0"});
  ASSERT_TRUE(options) << options.error().what();
  EXPECT_EQ(options->config.clusterCIDR, "10.1.0.0/16");
  EXPECT_FALSE(options->node.masqueradeAll);
  EXPECT_EQ(options->metricsBindAddress, "127.0.0.1:10249");
  EXPECT_EQ(options->config.logging.verbosity, 5) << "logging flags win";
  EXPECT_EQ(options->hostnameOverride, "flagged");
  EXPECT_EQ(options->own.master, "http://127.0.0.1:1");
  EXPECT_EQ(options->own.controlSocket, "/tmp/x.sock");
  EXPECT_EQ(options->node.serviceCidrs.size(), 1U);
  for (const auto *flag : {"--cluster-cidr", "--masquerade-all", "--metrics-port"})
    EXPECT_TRUE(mentions(options->warnings, flag)) << flag;
  EXPECT_FALSE(mentions(options->warnings, "--v "));
  EXPECT_EQ(load({file.flag()})->hostnameOverride, "filed");
}

TEST(proxy_options, unknown_fields_are_warnings_or_errors_as_the_operator_says) {
  const ConfigFile file("udpIdleTimeout: 250ms\n");
  const auto lenient = load({file.flag()});
  ASSERT_TRUE(lenient) << lenient.error().what();
  EXPECT_TRUE(mentions(lenient->warnings, "\"udpIdleTimeout\""));
  const auto strict = load({file.flag(), "--strict-config"});
  ASSERT_FALSE(strict);
  EXPECT_NE(strict.error().what().find("\"udpIdleTimeout\""), std::string::npos);
}

TEST(proxy_options, periods_and_masquerading_come_from_the_section_of_the_mode) {
  const ConfigFile file("iptables: {syncPeriod: 11s, masqueradeBit: 11, masqueradeAll: true}\n"
                        "ipvs: {syncPeriod: 12s, scheduler: mh, excludeCIDRs: [10.0.0.0/8]}\n"
                        "nftables: {syncPeriod: 13s, masqueradeBit: 13}\n");
  const struct {
    const char *mode;
    std::chrono::seconds period;
    int bit;
    bool all;
  } kCases[] = {{"", 13s, 13, false},
                {"nftables", 13s, 13, false},
                {"ebpf", 13s, 13, false},
                {"iptables", 11s, 11, true},
                {"ipvs", 12s, 11, true}};
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.mode);
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf() << "mode: \"" << c.mode << "\"\n";
    auto decoded = config::read(text.str());
    ASSERT_TRUE(decoded) << decoded.error().what();
    config::complete(decoded->config);
    const auto options = options_of(decoded->config, {});
    ASSERT_TRUE(options) << options.error().what();
    EXPECT_EQ(options->periods.period, c.period);
    EXPECT_EQ(options->node.masqueradeBit, c.bit);
    EXPECT_EQ(options->node.masqueradeAll, c.all);
    EXPECT_EQ(options->ipvs.scheduler, "mh");
    const auto &warnings = options->warnings;
    EXPECT_EQ(std::count_if(warnings.begin(), warnings.end(),
                            [](const auto &warning) {
                              return warning.find("iptables.masqueradeBit") != std::string::npos;
                            }),
              std::string(c.mode) == "ipvs" ? 1 : 0);
  }
}

TEST(proxy_options, a_reload_goes_as_deep_as_the_change) {
  const struct {
    const char *fields;
    Reload reload;
    int line;
  } kCases[] = {
      {"", Reload::nothing, __LINE__},
      {"mode: \"\"", Reload::nothing, __LINE__},
      {"clusterCIDR: 10.0.0.0/8", Reload::in_place, __LINE__},
      {"nodePortAddresses: [10.0.0.0/8]", Reload::in_place, __LINE__},
      {"nftables: {masqueradeAll: true}", Reload::in_place, __LINE__},
      {"logging: {verbosity: 4}", Reload::in_place, __LINE__},
      {"oomScoreAdj: 0", Reload::in_place, __LINE__},
      {"conntrack: {min: 1}", Reload::in_place, __LINE__},
      {"mode: ipvs", Reload::restart, __LINE__},
      {"featureGates: {AllowServiceExternalIPs: false}", Reload::restart, __LINE__},
      {"featureGates: {AllowServiceExternalIPs: true}", Reload::in_place, __LINE__},
      {"metricsBindAddress: 127.0.0.1:1", Reload::restart, __LINE__},
      {"healthzBindAddress: 127.0.0.1:1", Reload::restart, __LINE__},
      {"hostnameOverride: other", Reload::restart, __LINE__},
      {"clientConnection: {kubeconfig: /k}", Reload::restart, __LINE__},
      {"nftables: {syncPeriod: 1s}", Reload::restart, __LINE__},
  };
  const ConfigFile file("");
  const auto line = parse({file.flag()});
  const auto before = load_options(line);
  ASSERT_TRUE(before);
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    file.write(c.fields);
    const auto after = load_options(line);
    ASSERT_TRUE(after) << after.error().what();
    EXPECT_EQ(reload_for(*before, *after), c.reload);
  }
}

TEST(proxy_options, networks_of_pods_must_fit_the_families_of_the_host) {
  const struct {
    std::string cidr;
    std::vector<Family> host;
    const char *says; ///< an error or a warning that says this; empty: all is well
    bool right;
  } kCases[] = {
      {"", {Family::ipv4}, "", true},
      {"10.0.0.0/8", {Family::ipv4}, "", true},
      {"10.0.0.0/8,2001:db8::/64", {Family::ipv4, Family::ipv6}, "", true},
      {"10.0.0.0/8", {Family::ipv4, Family::ipv6}, "no IPv6 network", true},
      {"2001:db8::/64", {Family::ipv4}, "no network of this host", false},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.cidr);
    const auto options = load({"--cluster-cidr=" + c.cidr});
    ASSERT_TRUE(options) << options.error().what();
    const auto said = check_families(*options, c.host);
    ASSERT_EQ(said.has_value(), c.right);
    EXPECT_NE((said ? *said : said.error().what()).find(c.says), std::string::npos);
  }
}

} // namespace
} // namespace sluice::proxy
