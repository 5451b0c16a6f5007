#include "proxy/options.hpp"

#include <yaml-cpp/yaml.h>

namespace sluice::proxy {
namespace {

using Setter = std::function<Result<>(const YAML::Node &)>;
/// By dotted path: "nftables.syncPeriod". Without a setter: known, and of no effect.
using Fields = std::map<std::string, Setter>;

Result<std::string> text_of(const YAML::Node &node) {
  if (!node.IsScalar())
    return fail(Errc::invalid_input, "a text is expected");
  return node.Scalar();
}

bool is_nothing(const YAML::Node &node) {
  if (node.IsNull())
    return true;
  if (node.IsScalar()) {
    const auto &text = node.Scalar();
    return text.empty() || text == "0" || text == "0s" || text == "false" || text == "null";
  }
  return node.size() == 0;
}

Setter text(std::string &target) {
  return [&target](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(target, text_of(node), "read");
    return {};
  };
}

Setter boolean(bool &target) {
  return [&target](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(const auto value, text_of(node), "read");
    if (value != "true" && value != "false")
      return fail(Errc::invalid_input, "\"" + value + "\" is neither true nor false");
    target = value == "true";
    return {};
  };
}

Setter number(int &target) {
  return [&target](const YAML::Node &node) -> Result<> {
    if (!node.IsScalar() || !YAML::convert<int>::decode(node, target))
      return fail(Errc::invalid_input, "a whole number is expected");
    return {};
  };
}

/// Zero means the default.
Setter duration(Clock::duration &target) {
  return [&target](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(const auto value, text_of(node), "read");
    SLUICE_ASSIGN(const auto time, parse_duration(value), "read");
    if (time.count() != 0)
      target = time;
    return {};
  };
}

Setter bind_address(std::string &target) {
  return [&target](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(const auto value, text_of(node), "read");
    if (value.empty())
      return {};
    SLUICE_ASSIGN(target, parse_bind_address(value), "read");
    return {};
  };
}

template <class T, class Parse> Setter parsed(T &target, Parse parse) {
  return [&target, parse](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(const auto value, text_of(node), "read");
    if (value.empty())
      return {};
    SLUICE_ASSIGN(target, parse(value), "read");
    return {};
  };
}

Result<> set_node_port_addresses(const YAML::Node &node, std::vector<Cidr> &target) {
  if (!node.IsSequence())
    return fail(Errc::invalid_input, "a list is expected");
  std::vector<std::string> texts;
  for (const auto &item : node) {
    SLUICE_ASSIGN(auto one, text_of(item), "read an item");
    texts.push_back(std::move(one));
  }
  SLUICE_ASSIGN(target, parse_node_port_addresses(texts), "read");
  return {};
}

Setter masquerade_bit(std::uint8_t &target) {
  return [&target](const YAML::Node &node) -> Result<> {
    int bit = 0;
    SLUICE_TRY(number(bit)(node), "read");
    if (bit < 0 || bit > 31)
      return fail(Errc::invalid_input, "the bit is 0 to 31");
    target = static_cast<std::uint8_t>(bit);
    return {};
  };
}

constexpr const char *kWithoutEffect[] = {"featureGates",
                                          "clientConnection.acceptContentTypes",
                                          "clientConnection.contentType",
                                          "clientConnection.qps",
                                          "clientConnection.burst",
                                          "logging.format",
                                          "logging.flushFrequency",
                                          "logging.vmodule",
                                          "logging.options",
                                          "enableProfiling",
                                          "showHiddenMetricsForVersion",
                                          "iptables.masqueradeBit",
                                          "iptables.masqueradeAll",
                                          "iptables.localhostNodePorts",
                                          "iptables.syncPeriod",
                                          "iptables.minSyncPeriod",
                                          "ipvs.syncPeriod",
                                          "ipvs.minSyncPeriod",
                                          "ipvs.scheduler",
                                          "ipvs.excludeCIDRs",
                                          "ipvs.strictARP",
                                          "ipvs.tcpTimeout",
                                          "ipvs.tcpFinTimeout",
                                          "ipvs.udpTimeout",
                                          "winkernel.networkName",
                                          "winkernel.sourceVip",
                                          "winkernel.enableDSR",
                                          "winkernel.rootHnsEndpointName",
                                          "winkernel.forwardHealthCheckVip",
                                          "oomScoreAdj",
                                          "conntrack.maxPerCore",
                                          "conntrack.min",
                                          "conntrack.tcpEstablishedTimeout",
                                          "conntrack.tcpCloseWaitTimeout",
                                          "conntrack.tcpBeLiberal",
                                          "conntrack.udpTimeout",
                                          "conntrack.udpStreamTimeout",
                                          "configSyncPeriod",
                                          "portRange",
                                          "windowsRunAsService"};

Fields fields_of(ProxyOptions &options, std::string &bridge, std::string &prefix) {
  Fields fields;
  for (const auto *path : kWithoutEffect)
    fields[path] = nullptr;
  fields["clientConnection.kubeconfig"] = text(options.kubeconfig);
  fields["hostnameOverride"] = [&](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(auto name, text_of(node), "read");
    if (options.hostnameOverride.empty())
      options.hostnameOverride = std::move(name);
    return {};
  };
  fields["bindAddress"] = parsed(options.node.bindAddress, &IpAddress::parse);
  fields["healthzBindAddress"] = bind_address(options.healthzBindAddress);
  fields["metricsBindAddress"] = bind_address(options.metricsBindAddress);
  fields["bindAddressHardFail"] = boolean(options.bindAddressHardFail);
  fields["mode"] = [&](const YAML::Node &node) -> Result<> {
    SLUICE_ASSIGN(auto mode, text_of(node), "read");
    if (!mode.empty())
      options.mode = std::move(mode);
    return {};
  };
  fields["logging.verbosity"] = number(options.verbosity);
  fields["nftables.masqueradeBit"] = masquerade_bit(options.node.masqueradeBit);
  fields["nftables.masqueradeAll"] = boolean(options.node.masqueradeAll);
  fields["nftables.syncPeriod"] = duration(options.periods.period);
  fields["nftables.minSyncPeriod"] = duration(options.periods.min);
  fields["detectLocalMode"] = parsed(options.node.detectLocal, &parse_detect_local_mode);
  fields["detectLocal.bridgeInterface"] = text(bridge);
  fields["detectLocal.interfaceNamePrefix"] = text(prefix);
  fields["clusterCIDR"] = parsed(options.node.clusterCidrs, &parse_cidr_list);
  fields["nodePortAddresses"] = [&](const YAML::Node &node) {
    return set_node_port_addresses(node, options.node.nodePortAddresses);
  };
  return fields;
}

bool is_section(const Fields &fields, const std::string &path) {
  const auto at = fields.lower_bound(path + ".");
  return at != fields.end() && at->first.rfind(path + ".", 0) == 0;
}

Result<> read_section(const YAML::Node &section, const std::string &prefix, const Fields &fields,
                      ProxyOptions &options) {
  for (const auto &entry : section) {
    const auto path = prefix + entry.first.Scalar();
    const auto field = fields.find(path);
    if (field == fields.end()) {
      if (!is_section(fields, path))
        return fail(Errc::invalid_input, "unknown field \"" + path + "\"");
      if (entry.second.IsNull())
        continue;
      if (!entry.second.IsMap())
        return fail(Errc::invalid_input, "\"" + path + "\": an object is expected");
      SLUICE_TRY(read_section(entry.second, path + ".", fields, options), "configuration");
    } else if (!field->second) {
      if (!is_nothing(entry.second))
        options.withoutEffect.push_back(path);
    } else if (!entry.second.IsNull()) {
      SLUICE_TRY(field->second(entry.second), "\"" + path + "\"");
    }
  }
  return {};
}

Result<> check_head(YAML::Node &document) {
  if (!document.IsMap())
    return fail(Errc::invalid_input, "a KubeProxyConfiguration object is expected");
  const auto word = [&](const char *key) {
    return document[key] && document[key].IsScalar() ? document[key].Scalar() : std::string();
  };
  if (word("kind") != "KubeProxyConfiguration" ||
      word("apiVersion") != "kubeproxy.config.k8s.io/v1alpha1")
    return fail(Errc::invalid_input,
                "kind KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1 is expected, not "
                "kind \"" +
                    word("kind") + "\" of \"" + word("apiVersion") + "\"");
  document.remove("kind");
  document.remove("apiVersion");
  return {};
}

} // namespace

Result<> read_config(const std::string &yaml, ProxyOptions &options) {
  try {
    auto document = YAML::Load(yaml);
    SLUICE_TRY(check_head(document), "configuration");
    std::string bridge, prefix;
    const auto fields = fields_of(options, bridge, prefix);
    SLUICE_TRY(read_section(document, "", fields, options), "configuration");
    options.node.interface =
        options.node.detectLocal == DetectLocalMode::bridge_interface ? bridge : prefix;
    return {};
  } catch (const YAML::Exception &error) {
    return fail(Errc::invalid_input, std::string("no valid YAML: ") + error.what());
  }
}

} // namespace sluice::proxy
