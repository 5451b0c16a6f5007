#include "proxy/config/fields.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::proxy::config {
namespace {

using namespace std::chrono_literals;

std::string document(const std::string &fields) {
  return "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n" + fields;
}

/// The value at a path as `to_json` shows it.
std::string shown(const KubeProxyConfiguration &config, std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  return to_json(config)[nlohmann::json::json_pointer("/" + path)].dump();
}

struct FieldCase {
  const char *path;
  const char *initial; ///< of a configuration that says nothing, as JSON
  const char *yaml;    ///< another value in a file
  const char *flag;    ///< the same as a flag's text; none: the field has no flag
  const char *value;   ///< both as JSON
};

/// Every field of kubeproxy.config.k8s.io/v1alpha1.
const FieldCase kFieldCases[] = {
    {"featureGates", "{}", "{A: true}", "A=true", R"({"A":true})"},
    {"clientConnection.kubeconfig", R"("")", "/etc/k", "/etc/k", R"("/etc/k")"},
    {"clientConnection.acceptContentTypes", R"("")", "application/json", nullptr,
     R"("application/json")"},
    {"clientConnection.contentType", R"("application/vnd.kubernetes.protobuf")", "application/json",
     "application/json", R"("application/json")"},
    {"clientConnection.qps", "5.0", "2.5", "2.5", "2.5"},
    {"clientConnection.burst", "10", "20", "20", "20"},
    {"logging.format", R"("text")", "json", "json", R"("json")"},
    {"logging.flushFrequency", R"("5s")", "2000000000", "2s", R"("2s")"},
    {"logging.verbosity", "0", "4", "4", "4"},
    {"logging.vmodule", "null", "[{filePattern: proxy, verbosity: 5}]", "proxy=5",
     R"([{"filePattern":"proxy","verbosity":5}])"},
    {"logging.options.text.splitStream", "false", "true", "true", "true"},
    {"logging.options.text.infoBufferSize", R"("")", "1k", "1k", R"("1k")"},
    {"logging.options.json.splitStream", "false", "true", "true", "true"},
    {"logging.options.json.infoBufferSize", R"("")", "1k", "1k", R"("1k")"},
    {"hostnameOverride", R"("")", "n1", nullptr, R"("n1")"},
    {"bindAddress", R"("0.0.0.0")", "192.0.2.1", "192.0.2.1", R"("192.0.2.1")"},
    {"healthzBindAddress", R"("0.0.0.0:10256")", "127.0.0.1:1", "127.0.0.1:1", R"("127.0.0.1:1")"},
    {"metricsBindAddress", R"("127.0.0.1:10249")", "0.0.0.0:2", "0.0.0.0:2", R"("0.0.0.0:2")"},
    {"bindAddressHardFail", "false", "true", "true", "true"},
    {"enableProfiling", "false", "true", "true", "true"},
    {"showHiddenMetricsForVersion", R"("")", "'1.35'", "1.35", R"("1.35")"},
    {"mode", R"("")", "ipvs", "ipvs", R"("ipvs")"},
    {"iptables.masqueradeBit", "14", "0", "0", "0"},
    {"iptables.masqueradeAll", "false", "true", "true", "true"},
    {"iptables.localhostNodePorts", "true", "false", "false", "false"},
    {"iptables.syncPeriod", R"("30s")", "1m", "1m", R"("1m0s")"},
    {"iptables.minSyncPeriod", R"("0s")", "2s", "2s", R"("2s")"},
    {"ipvs.syncPeriod", R"("30s")", "1m", "1m", R"("1m0s")"},
    {"ipvs.minSyncPeriod", R"("0s")", "2s", "2s", R"("2s")"},
    {"ipvs.scheduler", R"("")", "mh", "mh", R"("mh")"},
    {"ipvs.excludeCIDRs", "null", "[192.0.2.0/24]", "192.0.2.0/24", R"(["192.0.2.0/24"])"},
    {"ipvs.strictARP", "false", "true", "true", "true"},
    {"ipvs.tcpTimeout", R"("0s")", "15m", "15m", R"("15m0s")"},
    {"ipvs.tcpFinTimeout", R"("0s")", "2m", "2m", R"("2m0s")"},
    {"ipvs.udpTimeout", R"("0s")", "500ms", "500ms", R"("500ms")"},
    {"nftables.masqueradeBit", "14", "0", "0", "0"},
    {"nftables.masqueradeAll", "false", "true", "true", "true"},
    {"nftables.syncPeriod", R"("30s")", "90s", "90s", R"("1m30s")"},
    {"nftables.minSyncPeriod", R"("0s")", "1s", "1s", R"("1s")"},
    {"winkernel.networkName", R"("")", "net", nullptr, R"("net")"},
    {"winkernel.sourceVip", R"("")", "10.0.0.1", nullptr, R"("10.0.0.1")"},
    {"winkernel.enableDSR", "false", "true", nullptr, "true"},
    {"winkernel.rootHnsEndpointName", R"("")", "cbr0", nullptr, R"("cbr0")"},
    {"winkernel.forwardHealthCheckVip", "false", "true", nullptr, "true"},
    {"detectLocalMode", R"("")", "NodeCIDR", "NodeCIDR", R"("NodeCIDR")"},
    {"detectLocal.bridgeInterface", R"("")", "cni0", "cni0", R"("cni0")"},
    {"detectLocal.interfaceNamePrefix", R"("")", "veth", "veth", R"("veth")"},
    {"clusterCIDR", R"("")", "10.0.0.0/8", "10.0.0.0/8", R"("10.0.0.0/8")"},
    {"nodePortAddresses", "null", "[primary]", "primary", R"(["primary"])"},
    {"oomScoreAdj", "-999", "0", "0", "0"},
    {"conntrack.maxPerCore", "32768", "0", "0", "0"},
    {"conntrack.min", "131072", "0", "0", "0"},
    {"conntrack.tcpEstablishedTimeout", R"("24h0m0s")", "0s", "0s", R"("0s")"},
    {"conntrack.tcpCloseWaitTimeout", R"("1h0m0s")", "0s", "0s", R"("0s")"},
    {"conntrack.tcpBeLiberal", "false", "true", "true", "true"},
    {"conntrack.udpTimeout", R"("0s")", "30s", "30s", R"("30s")"},
    {"conntrack.udpStreamTimeout", R"("0s")", "3m", "3m", R"("3m0s")"},
    {"configSyncPeriod", R"("15m0s")", "1m", "1m", R"("1m0s")"},
    {"portRange", R"("")", "300-2000", "300-2000", R"("300-2000")"},
    {"windowsRunAsService", "false", "true", nullptr, "true"},
};

/// "a.b.c" and a value to nested YAML.
std::string nested(const std::string &path, const std::string &value) {
  std::string out;
  int open = 0;
  std::istringstream words(path);
  for (std::string word; std::getline(words, word, '.'); ++open)
    out += (open == 0 ? "" : "{") + word + ": ";
  return out + value + std::string(static_cast<std::size_t>(open - 1), '}') + "\n";
}

TEST(proxy_config, the_cases_name_every_field_once_and_in_order) {
  ASSERT_EQ(std::size(kFieldCases), fields().size());
  for (std::size_t i = 0; i < fields().size(); ++i) {
    EXPECT_EQ(fields()[i].path, kFieldCases[i].path);
    EXPECT_EQ(fields()[i].flag.empty(), kFieldCases[i].flag == nullptr) << fields()[i].path;
    EXPECT_FALSE(fields()[i].help.empty() && fields()[i].no_effect.empty() &&
                 fields()[i].path.rfind("nftables.", 0) != 0)
        << fields()[i].path << " is not explained";
  }
}

TEST(proxy_config, every_field_has_kube_proxys_default_and_is_read_from_a_file_and_from_text) {
  KubeProxyConfiguration fresh;
  complete(fresh);
  for (const auto &c : kFieldCases) {
    SCOPED_TRACE(c.path);
    EXPECT_EQ(shown(fresh, c.path), c.initial);
    auto decoded = read(document(nested(c.path, c.yaml)));
    ASSERT_TRUE(decoded) << decoded.error().what();
    EXPECT_TRUE(decoded->warnings.empty());
    EXPECT_EQ(shown(decoded->config, c.path), c.value);
    complete(decoded->config);
    EXPECT_EQ(changed_fields(fresh, decoded->config), std::vector<std::string>{c.path});
    if (c.flag) {
      KubeProxyConfiguration by_flag;
      ASSERT_TRUE(set_text(find_field(c.path)->slot(by_flag), c.flag));
      EXPECT_EQ(shown(by_flag, c.path), c.value);
    }
  }
}

TEST(proxy_config, null_and_empty_mean_the_default_for_every_field) {
  KubeProxyConfiguration fresh;
  for (const auto &c : kFieldCases) {
    SCOPED_TRACE(c.path);
    for (const auto *nothing : {"null", "~", ""}) {
      auto decoded = read(document(nested(c.path, nothing)));
      ASSERT_TRUE(decoded) << decoded.error().what();
      EXPECT_TRUE(decoded->config == fresh) << nothing;
    }
  }
}

TEST(proxy_config, zero_means_the_default_where_kube_proxy_says_so) {
  const struct {
    const char *path, *zero, *value;
  } kCases[] = {
      {"iptables.syncPeriod", "0s", R"("30s")"},  {"nftables.syncPeriod", "0s", R"("30s")"},
      {"ipvs.syncPeriod", "0s", R"("30s")"},      {"configSyncPeriod", "0s", R"("15m0s")"},
      {"logging.flushFrequency", "0", R"("5s")"}, {"clientConnection.qps", "0", "5.0"},
      {"clientConnection.burst", "0", "10"},      {"conntrack.maxPerCore", "0", "0"},
      {"iptables.masqueradeBit", "0", "0"},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.path);
    const auto decoded = read(document(nested(c.path, c.zero)));
    ASSERT_TRUE(decoded) << decoded.error().what();
    EXPECT_EQ(shown(decoded->config, c.path), c.value);
  }
}

TEST(proxy_config, what_is_written_is_read_back_the_same) {
  for (const auto &c : kFieldCases) {
    SCOPED_TRACE(c.path);
    auto decoded = read(document(nested(c.path, c.yaml)));
    ASSERT_TRUE(decoded);
    complete(decoded->config);
    const auto again = read(to_yaml(decoded->config));
    ASSERT_TRUE(again) << again.error().what() << "\n" << to_yaml(decoded->config);
    EXPECT_TRUE(again->warnings.empty());
    EXPECT_EQ(changed_fields(decoded->config, again->config), std::vector<std::string>{});
    const auto as_json = read(to_json(decoded->config).dump());
    ASSERT_TRUE(as_json) << as_json.error().what();
    EXPECT_TRUE(as_json->config == decoded->config);
  }
}

TEST(proxy_config, what_cannot_be_read_is_refused_by_the_path_of_the_field) {
  const struct {
    const char *yaml, *says;
    int line;
  } kCases[] = {
      {"nftables: 3\n", "\"nftables\": an object is expected", __LINE__},
      {"nftables: {syncPeriod: soon}\n", "\"nftables.syncPeriod\"", __LINE__},
      {"nftables: {syncPeriod: -1s}\n", "\"-1s\" is no duration", __LINE__},
      {"nftables: {masqueradeAll: perhaps}\n", "\"perhaps\" is neither", __LINE__},
      {"iptables: {masqueradeBit: many}\n", "\"many\" is no whole number", __LINE__},
      {"oomScoreAdj: 1.5\n", "\"oomScoreAdj\"", __LINE__},
      {"nodePortAddresses: primary\n", "a list is expected", __LINE__},
      {"clusterCIDR: [a, b]\n", "\"clusterCIDR\"", __LINE__},
      {"featureGates: [A]\n", "\"featureGates\"", __LINE__},
      {"featureGates: {A: maybe}\n", "\"A\"", __LINE__},
      {"logging: {vmodule: [{filePattern: x}]}\n", "\"logging.vmodule\"", __LINE__},
      {"a: [\n", "no valid YAML", __LINE__},
      {"mode: nftables\n---\nmode: ipvs\n", "more than one document", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const auto decoded = read(document(c.yaml));
    ASSERT_FALSE(decoded);
    EXPECT_NE(decoded.error().what().find(c.says), std::string::npos) << decoded.error().what();
  }
}

TEST(proxy_config, another_kind_or_version_is_refused_and_named) {
  for (const auto *text : {"", "- 1\n", "kind: KubeProxyConfiguration\n",
                           "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1\n",
                           "kind: KubeProxyConfiguration\napiVersion: "
                           "kubeproxy.config.k8s.io/v1beta1\n"})
    EXPECT_FALSE(read(text)) << text;
  const auto other = read("kind: KubeProxyConfiguration\n"
                          "apiVersion: kubeproxy.config.k8s.io/v1beta1\n");
  EXPECT_NE(other.error().what().find("\"kubeproxy.config.k8s.io/v1beta1\""), std::string::npos);
}

TEST(proxy_config, unknown_and_repeated_fields_are_warnings_with_their_path) {
  const auto decoded = read(document("udpIdleTimeout: 250ms\nnftables: {masqueradBit: 3}\n"
                                     "mode: ipvs\nmode: nftables\n"));
  ASSERT_TRUE(decoded) << decoded.error().what();
  EXPECT_EQ(decoded->warnings,
            (std::vector<std::string>{"unknown field \"udpIdleTimeout\"",
                                      "unknown field \"nftables.masqueradBit\"",
                                      "field \"mode\" stands twice; the last one counts"}));
  EXPECT_EQ(decoded->config.mode, "nftables");
}

TEST(proxy_config, what_makes_no_sense_is_refused_with_the_field_and_the_reason) {
  const struct {
    const char *yaml, *says;
    int line;
  } kCases[] = {
      {"mode: userspace", "mode: \"userspace\" is none of", __LINE__},
      {"iptables: {masqueradeBit: 32}", "iptables.masqueradeBit: 32", __LINE__},
      {"nftables: {masqueradeBit: -1}", "nftables.masqueradeBit: -1", __LINE__},
      {"nftables: {syncPeriod: 1s, minSyncPeriod: 2s}", "2s is longer than syncPeriod, 1s",
       __LINE__},
      {"iptables: {syncPeriod: 1s, minSyncPeriod: 2s}", "iptables.minSyncPeriod", __LINE__},
      {"ipvs: {syncPeriod: 1s, minSyncPeriod: 2s}", "ipvs.minSyncPeriod", __LINE__},
      {"oomScoreAdj: 1001", "oomScoreAdj: 1001", __LINE__},
      {"oomScoreAdj: -1001", "oomScoreAdj: -1001", __LINE__},
      {"bindAddress: here", "bindAddress", __LINE__},
      {"healthzBindAddress: somewhere", "healthzBindAddress", __LINE__},
      {"metricsBindAddress: 127.0.0.1:port", "metricsBindAddress", __LINE__},
      {"clusterCIDR: 10.0.0.0", "clusterCIDR", __LINE__},
      {"clusterCIDR: '10.0.0.0/8,10.1.0.0/16'", "one of each family", __LINE__},
      {"clusterCIDR: '10.0.0.0/8,2001:db8::/64,11.0.0.0/8'", "one of each family", __LINE__},
      {"nodePortAddresses: [primary, 10.0.0.0/8]", "cannot be mixed", __LINE__},
      {"nodePortAddresses: [10.0.0.1]", "nodePortAddresses", __LINE__},
      {"ipvs: {excludeCIDRs: [x]}", "ipvs.excludeCIDRs", __LINE__},
      {"ipvs: {scheduler: 'round robin'}", "\"round robin\" is no name of a scheduler", __LINE__},
      {"ipvs: {scheduler: averyverylongname}", "ipvs.scheduler", __LINE__},
      {"ipvs: {tcpTimeout: 577h}", "ipvs.tcpTimeout: 577h0m0s is not in 0 to 576h0m0s", __LINE__},
      {"ipvs: {tcpFinTimeout: 577h}", "ipvs.tcpFinTimeout", __LINE__},
      {"ipvs: {udpTimeout: 577h}", "ipvs.udpTimeout", __LINE__},
      {"detectLocalMode: Magic", "\"Magic\"", __LINE__},
      {"detectLocalMode: BridgeInterface", "detectLocal.bridgeInterface", __LINE__},
      {"detectLocalMode: InterfaceNamePrefix", "detectLocal.interfaceNamePrefix", __LINE__},
      {"conntrack: {maxPerCore: -1}", "conntrack.maxPerCore", __LINE__},
      {"conntrack: {min: -1}", "conntrack.min", __LINE__},
      {"clientConnection: {burst: -1}", "clientConnection.burst", __LINE__},
      {"portRange: a-b", "portRange", __LINE__},
      {"showHiddenMetricsForVersion: new", "showHiddenMetricsForVersion", __LINE__},
      {"logging: {format: xml}", "logging.format", __LINE__},
      {"logging: {verbosity: -1}", "logging.verbosity", __LINE__},
      {"featureGates: {TopologyAwareHints: false}", "cannot be switched off", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    auto decoded = read(document(c.yaml));
    ASSERT_TRUE(decoded) << decoded.error().what();
    complete(decoded->config);
    const auto valid = validate(decoded->config);
    ASSERT_FALSE(valid);
    EXPECT_NE(valid.error().what().find(c.says), std::string::npos) << valid.error().what();
  }
  auto two = read(document("mode: x\noomScoreAdj: 2000\n"));
  complete(two->config);
  const auto both = validate(two->config).error().what();
  EXPECT_NE(both.find("mode"), std::string::npos) << both;
  EXPECT_NE(both.find("oomScoreAdj"), std::string::npos) << "all that is wrong: " << both;
}

TEST(proxy_config, addresses_get_their_port_and_follow_the_family_of_bind_address) {
  const struct {
    const char *yaml, *healthz, *metrics;
  } kCases[] = {
      {"", "0.0.0.0:10256", "127.0.0.1:10249"},
      {"bindAddress: '::'", "[::]:10256", "[::1]:10249"},
      {"healthzBindAddress: 192.0.2.1\nmetricsBindAddress: '2001:db8::1'", "192.0.2.1:10256",
       "[2001:db8::1]:10249"},
      {"healthzBindAddress: 0.0.0.0:0\nmetricsBindAddress: '[::1]:0'", "0.0.0.0:0", "[::1]:0"},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.yaml);
    auto decoded = read(document(c.yaml));
    ASSERT_TRUE(decoded) << decoded.error().what();
    complete(decoded->config);
    EXPECT_EQ(decoded->config.healthzBindAddress, c.healthz);
    EXPECT_EQ(decoded->config.metricsBindAddress, c.metrics);
    EXPECT_TRUE(validate(decoded->config));
  }
}

TEST(proxy_config, what_does_nothing_here_is_told_with_the_reason) {
  KubeProxyConfiguration config;
  EXPECT_TRUE(without_effect(config).empty());
  config.enableProfiling = true;
  config.winkernel.enableDSR = true;
  config.featureGates = {
      {"AllowServiceExternalIPs", false}, {"TopologyAwareHints", true}, {"Unheard", true}};
  const auto told = without_effect(config);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].rfind("enableProfiling (", 0), 0U) << told[0];
  EXPECT_EQ(told[1], "winkernel.enableDSR (it is for Windows)");
  EXPECT_EQ(told[2], "featureGates.Unheard (it switches nothing here)");
}

TEST(proxy_config, the_documentation_names_every_field_and_flag) {
  std::stringstream text;
  text << std::ifstream(SLUICE_SOURCE_DIR "/docs/proxy.md").rdbuf();
  const auto page = text.str();
  for (const auto &field : fields()) {
    EXPECT_NE(page.find("`" + std::string(field.path) + "`"), std::string::npos) << field.path;
    EXPECT_NE(page.find("`--" + std::string(field.flag)), std::string::npos) << field.flag;
  }
}

TEST(proxy_config, durations_are_gos) {
  EXPECT_EQ(*parse_duration("1h2m3.5s"), 1h + 2min + 3500ms);
  EXPECT_EQ(*parse_duration("100us"), 100us);
  EXPECT_EQ(*parse_duration("0"), 0ns);
  for (const auto *bad : {"", "s", "5", "-1s", "1d", "1s2", "nan", "1e9h", "infh"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  const struct {
    nanoseconds time;
    const char *text;
  } kTexts[] = {{0s, "0s"},       {30s, "30s"},       {90s, "1m30s"},    {24h, "24h0m0s"},
                {1500ms, "1.5s"}, {500ms, "500ms"},   {1500us, "1.5ms"}, {7us, "7us"},
                {3ns, "3ns"},     {1h + 1s, "1h0m1s"}};
  for (const auto &c : kTexts) {
    EXPECT_EQ(duration_text(c.time), c.text);
    EXPECT_EQ(*parse_duration(c.text), c.time);
  }
}

} // namespace
} // namespace sluice::proxy::config
