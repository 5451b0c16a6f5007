#include "proxy/config/fields.hpp"

#include <charconv>

namespace sluice::proxy::config {
namespace {

#define AT(member) [](KubeProxyConfiguration &c) -> Slot { return &c.member; }

constexpr std::string_view kWindows = "it is for Windows";
constexpr std::string_view kNoGo =
    "it speaks of klog's files and buffers; every line is written at once";
constexpr std::string_view kWatches = "the proxy opens a few watches and does not poll";

const Field kFields[] = {
    {"featureGates", "feature-gates", AT(featureGates), "Gate=true,Gate=false"},
    {"clientConnection.kubeconfig", "kubeconfig", AT(clientConnection.kubeconfig),
     "how to reach the API server; empty: the pod's service account"},
    {"clientConnection.acceptContentTypes", "", AT(clientConnection.acceptContentTypes), "",
     "the proxy speaks JSON"},
    {"clientConnection.contentType", "kube-api-content-type", AT(clientConnection.contentType), "",
     "the proxy speaks JSON"},
    {"clientConnection.qps", "kube-api-qps", AT(clientConnection.qps), "", kWatches},
    {"clientConnection.burst", "kube-api-burst", AT(clientConnection.burst), "", kWatches},
    {"logging.format", "logging-format", AT(logging.format), "text or json"},
    {"logging.flushFrequency", "log-flush-frequency", AT(logging.flushFrequency), "", kNoGo},
    {"logging.verbosity", "v", AT(logging.verbosity), "4 and more: log each sync"},
    {"logging.vmodule", "vmodule", AT(logging.vmodule), "", kNoGo},
    {"logging.options.text.splitStream", "log-text-split-stream", AT(logging.text.splitStream), "",
     kNoGo},
    {"logging.options.text.infoBufferSize", "log-text-info-buffer-size",
     AT(logging.text.infoBufferSize), "", kNoGo},
    {"logging.options.json.splitStream", "log-json-split-stream", AT(logging.json.splitStream), "",
     kNoGo},
    {"logging.options.json.infoBufferSize", "log-json-info-buffer-size",
     AT(logging.json.infoBufferSize), "", kNoGo},
    {"hostnameOverride", "", AT(hostnameOverride), "name of our Node"},
    {"bindAddress", "bind-address", AT(bindAddress), "replaces the Node's address"},
    {"healthzBindAddress", "healthz-bind-address", AT(healthzBindAddress),
     "default 0.0.0.0:10256; port 0: off"},
    {"metricsBindAddress", "metrics-bind-address", AT(metricsBindAddress),
     "default 127.0.0.1:10249; port 0: off"},
    {"bindAddressHardFail", "bind-address-hard-fail", AT(bindAddressHardFail),
     "end if one of them is taken"},
    {"enableProfiling", "profiling", AT(enableProfiling), "",
     "Go's profiler has no counterpart here; use perf"},
    {"showHiddenMetricsForVersion", "show-hidden-metrics-for-version",
     AT(showHiddenMetricsForVersion), "", "no metric is hidden"},
    {"mode", "proxy-mode", AT(mode), "nftables (default), iptables, ipvs or ebpf"},
    {"iptables.masqueradeBit",
     "iptables-masquerade-bit",
     AT(iptables.masqueradeBit),
     "bit of the packet mark, 0-31",
     {},
     true},
    {"iptables.masqueradeAll", "masquerade-all", AT(iptables.masqueradeAll),
     "masquerade all traffic to clusterIPs"},
    {"iptables.localhostNodePorts",
     "iptables-localhost-nodeports",
     AT(iptables.localhostNodePorts),
     "nodePorts answer on 127.0.0.1 in mode iptables",
     {},
     true},
    {"iptables.syncPeriod", "iptables-sync-period", AT(iptables.syncPeriod),
     "how often the kernel is read back, and the longest wait after an error"},
    {"iptables.minSyncPeriod", "iptables-min-sync-period", AT(iptables.minSyncPeriod),
     "least time between two syncs; 0: at once"},
    {"ipvs.syncPeriod", "ipvs-sync-period", AT(ipvs.syncPeriod), "the same in mode ipvs"},
    {"ipvs.minSyncPeriod", "ipvs-min-sync-period", AT(ipvs.minSyncPeriod), "the same in mode ipvs"},
    {"ipvs.scheduler", "ipvs-scheduler", AT(ipvs.scheduler), "default rr"},
    {"ipvs.excludeCIDRs", "ipvs-exclude-cidrs", AT(ipvs.excludeCIDRs),
     "virtual servers that are left alone; those of others are in any case"},
    {"ipvs.strictARP", "ipvs-strict-arp", AT(ipvs.strictARP), "arp_ignore 1, arp_announce 2"},
    {"ipvs.tcpTimeout", "ipvs-tcp-timeout", AT(ipvs.tcpTimeout), "0: as it is"},
    {"ipvs.tcpFinTimeout", "ipvs-tcpfin-timeout", AT(ipvs.tcpFinTimeout), "0: as it is"},
    {"ipvs.udpTimeout", "ipvs-udp-timeout", AT(ipvs.udpTimeout), "0: as it is"},
    {"nftables.masqueradeBit", "iptables-masquerade-bit", AT(nftables.masqueradeBit), "", {}, true},
    {"nftables.masqueradeAll", "masquerade-all", AT(nftables.masqueradeAll), ""},
    {"nftables.syncPeriod", "iptables-sync-period", AT(nftables.syncPeriod), ""},
    {"nftables.minSyncPeriod", "iptables-min-sync-period", AT(nftables.minSyncPeriod), ""},
    {"winkernel.networkName", "", AT(winkernel.networkName), "", kWindows},
    {"winkernel.sourceVip", "", AT(winkernel.sourceVip), "", kWindows},
    {"winkernel.enableDSR", "", AT(winkernel.enableDSR), "", kWindows},
    {"winkernel.rootHnsEndpointName", "", AT(winkernel.rootHnsEndpointName), "", kWindows},
    {"winkernel.forwardHealthCheckVip", "", AT(winkernel.forwardHealthCheckVip), "", kWindows},
    {"detectLocalMode", "detect-local-mode", AT(detectLocalMode),
     "ClusterCIDR (default), NodeCIDR, BridgeInterface or InterfaceNamePrefix"},
    {"detectLocal.bridgeInterface", "pod-bridge-interface", AT(detectLocal.bridgeInterface),
     "the bridge of BridgeInterface"},
    {"detectLocal.interfaceNamePrefix", "pod-interface-name-prefix",
     AT(detectLocal.interfaceNamePrefix), "the prefix of InterfaceNamePrefix"},
    {"clusterCIDR", "cluster-cidr", AT(clusterCIDR), "addresses of pods; one network a family"},
    {"nodePortAddresses", "nodeport-addresses", AT(nodePortAddresses),
     "networks, or \"primary\" (default)"},
    {"oomScoreAdj", "oom-score-adj", AT(oomScoreAdj), "of this process, -1000 to 1000", {}, true},
    {"conntrack.maxPerCore",
     "conntrack-max-per-core",
     AT(conntrack.maxPerCore),
     "nf_conntrack_max is raised to so many for each core; 0: left alone",
     {},
     true},
    {"conntrack.min", "conntrack-min", AT(conntrack.min), "and at least to this", {}, true},
    {"conntrack.tcpEstablishedTimeout",
     "conntrack-tcp-timeout-established",
     AT(conntrack.tcpEstablishedTimeout),
     "0: as it is",
     {},
     true},
    {"conntrack.tcpCloseWaitTimeout",
     "conntrack-tcp-timeout-close-wait",
     AT(conntrack.tcpCloseWaitTimeout),
     "0: as it is",
     {},
     true},
    {"conntrack.tcpBeLiberal", "conntrack-tcp-be-liberal", AT(conntrack.tcpBeLiberal),
     "segments out of the window are translated too"},
    {"conntrack.udpTimeout", "conntrack-udp-timeout", AT(conntrack.udpTimeout), "0: as it is"},
    {"conntrack.udpStreamTimeout", "conntrack-udp-timeout-stream", AT(conntrack.udpStreamTimeout),
     "0: as it is"},
    {"configSyncPeriod", "config-sync-period", AT(configSyncPeriod), "",
     "nothing has to be refreshed: each change comes by watch"},
    {"portRange", "proxy-port-range", AT(portRange), "", "kube-proxy has no use for it any more"},
    {"windowsRunAsService", "", AT(windowsRunAsService), "", kWindows},
};

#undef AT

Error bad(std::string_view text, const char *expected) {
  return {Errc::invalid_input, "\"" + std::string(text) + "\" is no " + expected};
}

Texts split(std::string_view text) {
  Texts out;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    out.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

template <class Number> Result<Number> parse_number(std::string_view text, const char *expected) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return fail(bad(text, expected));
  return value;
}

Result<bool> parse_bool(std::string_view text) {
  for (const auto *yes : {"true", "True", "TRUE", "1", "t", "T"})
    if (text == yes)
      return true;
  for (const auto *no : {"false", "False", "FALSE", "0", "f", "F"})
    if (text == no)
      return false;
  return fail(Errc::invalid_input, "\"" + std::string(text) + "\" is neither true nor false");
}

/// "name=value" for each item.
template <class Put> Result<> for_pairs(std::string_view text, const char *expected, Put put) {
  for (const auto &item : split(text)) {
    const auto equals = item.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(bad(item, expected));
    SLUICE_TRY(put(item.substr(0, equals), item.substr(equals + 1)), "\"" + item + "\"");
  }
  return {};
}

struct SetText {
  std::string_view text;
  Result<> operator()(std::string *slot) const {
    *slot = text;
    return {};
  }
  Result<> operator()(bool *slot) const {
    SLUICE_ASSIGN(*slot, parse_bool(text), "read");
    return {};
  }
  Result<> operator()(std::int32_t *slot) const {
    SLUICE_ASSIGN(*slot, parse_number<std::int32_t>(text, "whole number"), "read");
    return {};
  }
  Result<> operator()(float *slot) const {
    SLUICE_ASSIGN(*slot, parse_number<float>(text, "number"), "read");
    return {};
  }
  Result<> operator()(nanoseconds *slot) const {
    SLUICE_ASSIGN(*slot, parse_duration(text), "read");
    return {};
  }
  Result<> operator()(Texts *slot) const {
    *slot = split(text);
    return {};
  }
  Result<> operator()(FeatureGates *slot) const {
    return for_pairs(text, "feature gate: Name=true is expected",
                     [&](const std::string &name, const std::string &value) -> Result<> {
                       SLUICE_ASSIGN((*slot)[name], parse_bool(value), "read");
                       return {};
                     });
  }
  Result<> operator()(VModule *slot) const {
    return for_pairs(text, "pattern: file=2 is expected",
                     [&](const std::string &name, const std::string &value) -> Result<> {
                       SLUICE_ASSIGN(const auto level,
                                     parse_number<std::int32_t>(value, "whole number"), "read");
                       slot->emplace_back(name, level);
                       return {};
                     });
  }
};

} // namespace

std::span<const Field> fields() noexcept { return kFields; }

const Field *find_field(std::string_view path) noexcept {
  for (const auto &field : kFields)
    if (field.path == path)
      return &field;
  return nullptr;
}

Result<> set_text(Slot slot, std::string_view text) { return std::visit(SetText{text}, slot); }

void copy(Slot to, Slot from) {
  std::visit([&](auto *target) { *target = *std::get<decltype(target)>(from); }, to);
}

bool is_zero(Slot slot) {
  return std::visit([](auto *value) { return *value == std::decay_t<decltype(*value)>{}; }, slot);
}

bool equal(Slot a, Slot b) {
  return std::visit([&](auto *value) { return *value == *std::get<decltype(value)>(b); }, a);
}

} // namespace sluice::proxy::config
