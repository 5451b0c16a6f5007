#include "proxy/options.hpp"

#include <charconv>

namespace sluice::proxy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

struct Unit {
  std::string_view name;
  double nanoseconds;
};
/// Longer names first where one begins another.
constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                           {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};

std::optional<Unit> take_unit(std::string_view &text) {
  const Unit *best = nullptr;
  for (const auto &unit : kUnits)
    if (text.substr(0, unit.name.size()) == unit.name &&
        (!best || unit.name.size() > best->name.size()))
      best = &unit;
  if (!best)
    return std::nullopt;
  text.remove_prefix(best->name.size());
  return *best;
}

Result<> check_families(const std::vector<Cidr> &cidrs) {
  const auto v4 = std::count_if(cidrs.begin(), cidrs.end(),
                                [](const Cidr &cidr) { return cidr.family() == Family::ipv4; });
  if (cidrs.size() > 2 || v4 > 1 || static_cast<std::ptrdiff_t>(cidrs.size()) - v4 > 1)
    return fail(Errc::invalid_input,
                "--cluster-cidr takes one network, or one of each family separated by a comma");
  return {};
}

Result<> check_mode(const std::string &mode) {
  if (mode == "nftables")
    return {};
  if (mode == "iptables" || mode == "ipvs" || mode == "ebpf")
    return fail(Errc::unsupported, "--proxy-mode " + quoted(mode) +
                                       ": this version has no such data plane yet; nftables is "
                                       "there and gives the same answers");
  return fail(Errc::invalid_input,
              "--proxy-mode " + quoted(mode) + ": it is one of nftables, iptables, ipvs, ebpf");
}

Result<> check_detector(const NodeOptions &node) {
  const bool by_interface = node.detectLocal == DetectLocalMode::bridge_interface ||
                            node.detectLocal == DetectLocalMode::interface_name_prefix;
  if (by_interface && node.interface.empty())
    return fail(Errc::invalid_input,
                "--detect-local-mode BridgeInterface and InterfaceNamePrefix need "
                "--pod-bridge-interface and --pod-interface-name-prefix");
  return {};
}

} // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto bad = [&, whole = text] {
    return fail(Errc::invalid_input,
                quoted(whole) + " is no duration: it looks like 30s, 1m30s or 500ms");
  };
  if (text == "0")
    return std::chrono::nanoseconds{0};
  if (text.empty())
    return bad();
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || number < 0)
      return bad();
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto unit = take_unit(text);
    if (!unit)
      return bad();
    sum += number * unit->nanoseconds;
  }
  constexpr double kLongest = 366.0 * 24 * 3600e9;
  if (sum > kLongest)
    return bad();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(sum));
}

Result<DetectLocalMode> parse_detect_local_mode(std::string_view text) {
  if (text.empty() || text == "ClusterCIDR")
    return DetectLocalMode::cluster_cidr;
  if (text == "NodeCIDR")
    return DetectLocalMode::node_cidr;
  if (text == "BridgeInterface")
    return DetectLocalMode::bridge_interface;
  if (text == "InterfaceNamePrefix")
    return DetectLocalMode::interface_name_prefix;
  return fail(Errc::invalid_input,
              quoted(text) + " is no way to detect local pods: it is one of ClusterCIDR, NodeCIDR, "
                             "BridgeInterface, InterfaceNamePrefix");
}

Result<std::vector<Cidr>> parse_node_port_addresses(const std::vector<std::string> &texts) {
  std::vector<Cidr> cidrs;
  for (const auto &text : texts) {
    if (text == "primary") {
      if (texts.size() != 1)
        return fail(Errc::invalid_input,
                    "\"primary\" cannot be mixed with networks in --nodeport-addresses");
      return cidrs;
    }
    SLUICE_ASSIGN(auto cidr, Cidr::parse(text), "--nodeport-addresses");
    cidrs.push_back(cidr);
  }
  return cidrs;
}

Result<std::string> parse_bind_address(const std::string &text) {
  if (text.empty())
    return text;
  // kube-proxy takes an address without a port, and port 0 as "off".
  if (text.size() > 2 && text.substr(text.size() - 2) == ":0")
    return std::string();
  SLUICE_ASSIGN(auto address, SocketAddress::parse(text), "an address to listen on");
  return address.str();
}

Result<> validate(const ProxyOptions &options) {
  SLUICE_TRY(check_mode(options.mode), "options");
  SLUICE_TRY(check_families(options.node.clusterCidrs), "options");
  SLUICE_TRY(check_detector(options.node), "options");
  if (options.node.masqueradeBit > 31)
    return fail(Errc::invalid_input, "--iptables-masquerade-bit is 0 to 31");
  if (options.periods.period <= Clock::duration::zero())
    return fail(Errc::invalid_input, "--iptables-sync-period must be longer than nothing");
  if (options.periods.min < Clock::duration::zero() || options.periods.min > options.periods.period)
    return fail(Errc::invalid_input,
                "--iptables-min-sync-period must not be longer than --iptables-sync-period");
  return {};
}

} // namespace sluice::proxy
