#include "proxy/config/fields.hpp"

#include "net/ip_address.hpp"
#include "net/port.hpp"

#include <charconv>

namespace sluice::proxy::config {
namespace {

/// Gates of kube-proxy that are what Sluice does in any case.
constexpr std::string_view kAlwaysOn[] = {
    "KubeProxyDrainingTerminatingNodes",
    "LoadBalancerIPMode",
    "MinimizeIPTablesRestore",
    "MultiCIDRServiceAllocator",
    "NFTablesProxyMode",
    "PreferSameTrafficDistribution",
    "ProxyTerminatingEndpoints",
    "ServiceInternalTrafficPolicy",
    "ServiceTrafficDistribution",
    "TopologyAwareHints",
};

/// The one that switches something; see ProxyOptions::externalIPs.
constexpr std::string_view kSwitch = "AllowServiceExternalIPs";

bool always_on(std::string_view gate) {
  return std::find(std::begin(kAlwaysOn), std::end(kAlwaysOn), gate) != std::end(kAlwaysOn);
}

/// "host", "[host]", "host:port", "[host]:port" with a port at the end.
std::string with_port(const std::string &address, const char *port) {
  if (const auto ip = IpAddress::parse(address))
    return ip->family() == Family::ipv6 ? "[" + address + "]:" + port : address + ":" + port;
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    return address + ":" + port;
  return address;
}

class Checks {
public:
  explicit Checks(const KubeProxyConfiguration &config) : c_(config) {}

  Result<> run() {
    gates();
    logging();
    addresses();
    mode();
    periods();
    ipvs();
    numbers();
    networks();
    detector();
    if (wrong_.empty())
      return {};
    std::string text;
    for (const auto &one : wrong_)
      text += (text.empty() ? "" : "; ") + one;
    return fail(Errc::invalid_input, text);
  }

private:
  void must(bool right, std::string wrong) {
    if (!right)
      wrong_.push_back(std::move(wrong));
  }
  template <class T> void must(const Result<T> &right, const std::string &field) {
    if (!right)
      wrong_.push_back(field + ": " + right.error().what());
  }

  void gates() {
    for (const auto &[gate, on] : c_.featureGates)
      must(on || !always_on(gate),
           "featureGates: \"" + gate + "\" cannot be switched off: it is what Sluice does");
  }

  void logging() {
    must(c_.logging.format == "text" || c_.logging.format == "json",
         "logging.format: \"" + c_.logging.format + "\" is neither text nor json");
    must(c_.logging.verbosity >= 0, "logging.verbosity: 0 or more");
  }

  void addresses() {
    must(IpAddress::parse(c_.bindAddress), "bindAddress");
    listen_address("healthzBindAddress", c_.healthzBindAddress);
    listen_address("metricsBindAddress", c_.metricsBindAddress);
  }

  /// Port 0 is "off".
  void listen_address(const char *field, const std::string &text) {
    const bool off = text.size() > 2 && text.substr(text.size() - 2) == ":0";
    must(SocketAddress::parse(off ? text.substr(0, text.size() - 1) + "1" : text), field);
  }

  void mode() {
    for (const auto *known : {"", "nftables", "iptables", "ipvs", "ebpf"})
      if (c_.mode == known)
        return;
    must(false, "mode: \"" + c_.mode + "\" is none of nftables, iptables, ipvs, ebpf");
  }

  void period(const char *section, nanoseconds sync, nanoseconds min) {
    must(sync.count() > 0, std::string(section) + ".syncPeriod: longer than nothing");
    must(min <= sync, std::string(section) + ".minSyncPeriod: " + duration_text(min) +
                          " is longer than syncPeriod, " + duration_text(sync));
  }

  void periods() {
    period("iptables", c_.iptables.syncPeriod, c_.iptables.minSyncPeriod);
    period("nftables", c_.nftables.syncPeriod, c_.nftables.minSyncPeriod);
    period("ipvs", c_.ipvs.syncPeriod, c_.ipvs.minSyncPeriod);
    must(c_.configSyncPeriod.count() > 0, "configSyncPeriod: longer than nothing");
  }

  void ipvs() {
    const auto &name = c_.ipvs.scheduler;
    must(name.size() < 16 &&
             name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos,
         "ipvs.scheduler: \"" + name + "\" is no name of a scheduler such as rr, lc or mh");
    timeout("ipvs.tcpTimeout", c_.ipvs.tcpTimeout);
    timeout("ipvs.tcpFinTimeout", c_.ipvs.tcpFinTimeout);
    timeout("ipvs.udpTimeout", c_.ipvs.udpTimeout);
    free_of_ipvs("iptables.masqueradeBit", c_.iptables.masqueradeBit);
    free_of_ipvs("nftables.masqueradeBit", c_.nftables.masqueradeBit);
  }

  /// The mode from before, or the next one, masquerades by a mark while both stand.
  void free_of_ipvs(const char *field, std::int32_t bit) {
    must(c_.mode != "ipvs" || (bit != 26 && bit != 27),
         std::string(field) + ": bits 26 and 27 of the packet mark are those of mode ipvs, and " +
             "while one mode follows another both mark packets; take another bit, such as 14");
  }

  /// The kernel counts in an int of ticks, up to 1000 a second.
  void timeout(const char *field, nanoseconds time) {
    constexpr auto kLongest = std::chrono::hours(24 * 24);
    must(time.count() >= 0 && time <= kLongest, std::string(field) + ": " + duration_text(time) +
                                                    " is not in 0 to " + duration_text(kLongest));
  }

  void range(const char *field, std::int64_t value, std::int64_t least, std::int64_t most) {
    must(value >= least && value <= most, std::string(field) + ": " + std::to_string(value) +
                                              " is not in " + std::to_string(least) + " to " +
                                              std::to_string(most));
  }

  void numbers() {
    constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
    range("iptables.masqueradeBit", c_.iptables.masqueradeBit, 0, 31);
    range("nftables.masqueradeBit", c_.nftables.masqueradeBit, 0, 31);
    range("oomScoreAdj", c_.oomScoreAdj, -1000, 1000);
    range("conntrack.maxPerCore", c_.conntrack.maxPerCore, 0, kMost);
    range("conntrack.min", c_.conntrack.min, 0, kMost);
    range("clientConnection.burst", c_.clientConnection.burst, 0, kMost);
    port_range();
    hidden_version();
  }

  /// "300-2000", "300+100" or nothing.
  void port_range() {
    const auto &text = c_.portRange;
    const auto middle = text.find_first_of("-+");
    const bool right = text.empty() || text == "0-0" ||
                       (parse_port(text.substr(0, middle)) &&
                        (middle == std::string::npos || parse_port(text.substr(middle + 1))));
    must(right, "portRange: \"" + text + "\" is no range of ports such as 300-2000");
  }

  /// "1.35" or nothing.
  void hidden_version() {
    const auto &text = c_.showHiddenMetricsForVersion;
    const auto dot = text.find('.');
    const auto digits = [](std::string_view part) {
      return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    };
    must(text.empty() || (dot != std::string::npos && digits(text.substr(0, dot)) &&
                          digits(text.substr(dot + 1))),
         "showHiddenMetricsForVersion: \"" + text + "\" is no version such as 1.35");
  }

  void networks() {
    const auto cidrs = parse_cidr_list(c_.clusterCIDR);
    must(cidrs, "clusterCIDR");
    if (cidrs)
      must(cidrs->size() < 2 ||
               (cidrs->size() == 2 && cidrs->at(0).family() != cidrs->at(1).family()),
           "clusterCIDR: it takes one network, or one of each family separated by a comma");
    const auto &places = c_.nodePortAddresses;
    const bool primary = std::find(places.begin(), places.end(), "primary") != places.end();
    must(!primary || places.size() == 1,
         "nodePortAddresses: \"primary\" cannot be mixed with networks");
    if (!primary)
      for (const auto &place : places)
        must(Cidr::parse(place), "nodePortAddresses");
    for (const auto &excluded : c_.ipvs.excludeCIDRs)
      must(Cidr::parse(excluded), "ipvs.excludeCIDRs");
  }

  void detector() {
    const auto &way = c_.detectLocalMode;
    if (way == "BridgeInterface")
      must(!c_.detectLocal.bridgeInterface.empty(),
           "detectLocal.bridgeInterface (--pod-bridge-interface): BridgeInterface needs it");
    else if (way == "InterfaceNamePrefix")
      must(!c_.detectLocal.interfaceNamePrefix.empty(),
           "detectLocal.interfaceNamePrefix (--pod-interface-name-prefix): InterfaceNamePrefix "
           "needs it");
    else
      must(way.empty() || way == "ClusterCIDR" || way == "NodeCIDR",
           "detectLocalMode: \"" + way +
               "\" is none of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix");
  }

  const KubeProxyConfiguration &c_;
  std::vector<std::string> wrong_;
};

} // namespace

void complete(KubeProxyConfiguration &config) {
  const auto own = IpAddress::parse(config.bindAddress);
  const bool v6 = own && own->family() == Family::ipv6;
  if (config.healthzBindAddress.empty())
    config.healthzBindAddress = v6 ? "[::]" : "0.0.0.0";
  if (config.metricsBindAddress.empty())
    config.metricsBindAddress = v6 ? "[::1]" : "127.0.0.1";
  config.healthzBindAddress = with_port(config.healthzBindAddress, "10256");
  config.metricsBindAddress = with_port(config.metricsBindAddress, "10249");
}

Result<> validate(const KubeProxyConfiguration &config) { return Checks(config).run(); }

std::vector<std::string> without_effect(const KubeProxyConfiguration &config) {
  const KubeProxyConfiguration fresh;
  std::vector<std::string> out;
  for (const auto &field : fields())
    if (!field.no_effect.empty() && !equal(slot_of(field, config), slot_of(field, fresh)))
      out.push_back(std::string(field.path) + " (" + std::string(field.no_effect) + ")");
  for (const auto &[gate, on] : config.featureGates)
    if (!always_on(gate) && gate != kSwitch)
      out.push_back("featureGates." + gate + " (it switches nothing here)");
  return out;
}

} // namespace sluice::proxy::config
