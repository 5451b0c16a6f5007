#include "proxy/options.hpp"

#include <tuple>

namespace sluice::proxy {
namespace {

using config::KubeProxyConfiguration;

/// Port 0 is kube-proxy's word for "off".
std::string listen_address(const std::string &text) {
  return text.size() > 2 && text.substr(text.size() - 2) == ":0" ? std::string() : text;
}

DetectLocalMode detect_local_mode(const std::string &text) {
  if (text == "NodeCIDR")
    return DetectLocalMode::node_cidr;
  if (text == "BridgeInterface")
    return DetectLocalMode::bridge_interface;
  if (text == "InterfaceNamePrefix")
    return DetectLocalMode::interface_name_prefix;
  return DetectLocalMode::cluster_cidr;
}

Result<std::vector<Cidr>> cidrs(const std::vector<std::string> &texts, const char *field) {
  std::vector<Cidr> out;
  if (texts == std::vector<std::string>{"primary"})
    return out;
  for (const auto &text : texts) {
    SLUICE_ASSIGN(auto cidr, Cidr::parse(text), field);
    out.push_back(cidr);
  }
  return out;
}

/// Bit, masquerading and periods are those of the mode's section.
void set_from_section(const KubeProxyConfiguration &config, ProxyOptions &options) {
  const bool nftables = options.mode == "nftables" || options.mode == "ebpf";
  const auto bit = nftables ? config.nftables.masqueradeBit : config.iptables.masqueradeBit;
  options.node.masqueradeBit = static_cast<std::uint8_t>(bit);
  options.node.masqueradeAll =
      nftables ? config.nftables.masqueradeAll : config.iptables.masqueradeAll;
  if (options.mode == "ipvs")
    options.periods = {config.ipvs.minSyncPeriod, config.ipvs.syncPeriod};
  else if (nftables)
    options.periods = {config.nftables.minSyncPeriod, config.nftables.syncPeriod};
  else
    options.periods = {config.iptables.minSyncPeriod, config.iptables.syncPeriod};
}

Result<> set_node(const KubeProxyConfiguration &config, ProxyOptions &options) {
  auto &node = options.node;
  node.detectLocal = detect_local_mode(config.detectLocalMode);
  node.interface = node.detectLocal == DetectLocalMode::bridge_interface
                       ? config.detectLocal.bridgeInterface
                       : config.detectLocal.interfaceNamePrefix;
  SLUICE_ASSIGN(node.clusterCidrs, parse_cidr_list(config.clusterCIDR), "clusterCIDR");
  SLUICE_ASSIGN(node.nodePortAddresses, cidrs(config.nodePortAddresses, "nodePortAddresses"),
                "options");
  node.localhostNodePorts = options.mode == "iptables" && config.iptables.localhostNodePorts;
  SLUICE_ASSIGN(const auto address, IpAddress::parse(config.bindAddress), "bindAddress");
  if (!address.is_unspecified())
    node.bindAddress = address;
  SLUICE_ASSIGN(node.serviceCidrs, parse_cidr_list(options.own.serviceCidrs), "--service-cidrs");
  return {};
}

IpvsOptions ipvs_options(const KubeProxyConfiguration &config) {
  IpvsOptions ipvs;
  if (!config.ipvs.scheduler.empty())
    ipvs.scheduler = config.ipvs.scheduler;
  ipvs.strictArp = config.ipvs.strictARP;
  ipvs.tcpTimeout = config.ipvs.tcpTimeout;
  ipvs.tcpFinTimeout = config.ipvs.tcpFinTimeout;
  ipvs.udpTimeout = config.ipvs.udpTimeout;
  return ipvs;
}

SysctlWishes sysctl_wishes(const config::Conntrack &conntrack) {
  const auto seconds = [](config::nanoseconds time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time);
  };
  return {conntrack.maxPerCore,
          conntrack.min,
          seconds(conntrack.tcpEstablishedTimeout),
          seconds(conntrack.tcpCloseWaitTimeout),
          seconds(conntrack.udpTimeout),
          seconds(conntrack.udpStreamTimeout),
          conntrack.tcpBeLiberal};
}

/// What a running daemon cannot take over without opening something anew.
auto opened_with(const ProxyOptions &options) {
  return std::tie(options.mode, options.kubeconfig, options.hostnameOverride,
                  options.healthzBindAddress, options.metricsBindAddress,
                  options.config.bindAddressHardFail, options.ipvs, options.externalIPs,
                  options.config.iptables.localhostNodePorts, options.periods.min,
                  options.periods.period);
}

} // namespace

Result<ProxyOptions> options_of(KubeProxyConfiguration config, OwnFlags own) {
  SLUICE_TRY(config::validate(config), "configuration");
  ProxyOptions options;
  options.own = std::move(own);
  options.mode = config.mode.empty() ? "nftables" : config.mode;
  options.kubeconfig = config.clientConnection.kubeconfig;
  options.hostnameOverride =
      options.own.hostnameOverride.empty() ? config.hostnameOverride : options.own.hostnameOverride;
  set_from_section(config, options);
  SLUICE_TRY(set_node(config, options), "configuration");
  options.ipvs = ipvs_options(config);
  options.ipvs.drainLimit = options.own.ipvsDrainLimit;
  const auto gate = config.featureGates.find("AllowServiceExternalIPs");
  options.externalIPs = gate == config.featureGates.end() || gate->second;
  options.healthzBindAddress = listen_address(config.healthzBindAddress);
  options.metricsBindAddress = listen_address(config.metricsBindAddress);
  options.sysctls = sysctl_wishes(config.conntrack);
  for (auto &warning : config::without_effect(config))
    options.warnings.push_back("without effect: " + std::move(warning));
  if (options.mode == "ipvs" && config.iptables.masqueradeBit != config::Iptables{}.masqueradeBit)
    options.warnings.push_back("without effect: iptables.masqueradeBit (mode ipvs marks the "
                               "connections that it masquerades, and no packets)");
  options.config = std::move(config);
  return options;
}

Reload reload_for(const ProxyOptions &before, const ProxyOptions &after) {
  if (before.config == after.config)
    return Reload::nothing;
  return opened_with(before) == opened_with(after) ? Reload::in_place : Reload::restart;
}

Result<std::string> check_families(const ProxyOptions &options, const std::vector<Family> &host) {
  const auto &cidrs = options.node.clusterCidrs;
  if (options.node.detectLocal != DetectLocalMode::cluster_cidr || cidrs.empty())
    return std::string();
  const auto lacks = [&](Family family) {
    return std::none_of(cidrs.begin(), cidrs.end(),
                        [&](const Cidr &cidr) { return cidr.family() == family; });
  };
  if (std::all_of(host.begin(), host.end(), lacks))
    return fail(Errc::invalid_input, "clusterCIDR \"" + options.config.clusterCIDR +
                                         "\" has no network of this host's address families");
  for (const auto family : host)
    if (lacks(family))
      return "clusterCIDR \"" + options.config.clusterCIDR + "\" has no " +
             std::string(name_of(family)) +
             " network: pods of that family are not told from others";
  return std::string();
}

} // namespace sluice::proxy
