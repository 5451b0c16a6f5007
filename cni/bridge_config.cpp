#include "cni/bridge_config.hpp"

#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

constexpr std::int64_t kMaxMtu = 65535;
constexpr std::size_t kMaxNameLength = 15;

/// CNI_ARGS, then args.cni, then runtimeConfig: the later one wins.
Outcome<std::string> wanted_mac(const ObjectReader &top, std::string_view args_text) {
  SLUICE_TAKE(const auto args, parse_args(args_text));
  auto text = args.mac.value_or("");
  SLUICE_TAKE(const auto args_object, top.object("args"));
  if (args_object) {
    SLUICE_TAKE(const auto cni_object, args_object->object("cni"));
    if (cni_object)
      SLUICE_PASS(cni_object->read("mac", text));
  }
  SLUICE_TAKE(const auto runtime, top.object("runtimeConfig"));
  if (runtime)
    SLUICE_PASS(runtime->read("mac", text));
  return text;
}

Outcome<> check_combinations(const BridgeConfig &config, const NetworkConfig &network) {
  if (config.hairpin && config.promiscuous)
    return fail(Code::invalid_config, "hairpinMode and promiscMode are both true: only one can be");
  if (config.disable_container_interface && !network.ipam_type.empty())
    return fail(Code::invalid_config, "disableContainerInterface is true and ipam.type is \"" +
                                          network.ipam_type +
                                          "\": an interface that is down has no addresses");
  if (config.bridge.empty() || config.bridge.size() > kMaxNameLength ||
      config.bridge.find_first_of("/: \t") != std::string::npos)
    return fail(Code::invalid_config,
                "bridge is \"" + config.bridge + "\": no name that an interface can have");
  if (gateway_link(config).size() > kMaxNameLength)
    return fail(Code::invalid_config, "bridge is \"" + config.bridge + "\": with its VLAN, \"" +
                                          gateway_link(config) + "\" is too long for a link");
  return {};
}

} // namespace

Outcome<BridgeConfig> parse_bridge_config(const NetworkConfig &network, std::string_view args) {
  BridgeConfig config;
  const auto top = top_of(network);
  SLUICE_PASS(top.read("bridge", config.bridge));
  SLUICE_PASS(top.read("isGateway", config.is_gateway));
  SLUICE_PASS(top.read("isDefaultGateway", config.is_default_gateway));
  SLUICE_PASS(top.read("forceAddress", config.force_address));
  SLUICE_TAKE(config.masquerade, parse_masquerade(network));
  SLUICE_PASS(top.read("hairpinMode", config.hairpin));
  SLUICE_PASS(top.read("promiscMode", config.promiscuous));
  SLUICE_PASS(top.read("portIsolation", config.port_isolation));
  SLUICE_PASS(top.read("enabledad", config.duplicate_address_detection));
  SLUICE_PASS(top.read("disableContainerInterface", config.disable_container_interface));
  SLUICE_PASS(top.read("macspoofchk", config.spoof_check));
  SLUICE_TAKE(config.vlans, parse_vlans(top));
  SLUICE_TAKE(const auto mtu, top.number("mtu", 0, kMaxMtu));
  config.mtu_bytes = static_cast<std::uint32_t>(mtu.value_or(0));
  config.is_gateway |= config.is_default_gateway;
  SLUICE_TAKE(config.mac, requested_mac(network, args));
  SLUICE_PASS(check_combinations(config, network));
  return config;
}

Outcome<std::optional<MacAddress>> requested_mac(const NetworkConfig &network,
                                                 std::string_view args) {
  SLUICE_TAKE(const auto text, wanted_mac(top_of(network), args));
  if (text.empty())
    return std::optional<MacAddress>();
  SLUICE_ASSIGN(const auto mac, MacAddress::parse(text), "the MAC address asked for");
  return std::optional(mac);
}

std::string gateway_link(const BridgeConfig &config) {
  if (!config.is_gateway || config.vlans.native == 0)
    return config.bridge;
  return config.bridge + "." + std::to_string(config.vlans.native);
}

bool wants_spoof_check(const NetworkConfig &config) {
  bool wanted = false;
  (void)top_of(config).read("macspoofchk", wanted);
  return wanted;
}

std::string bridge_name(const NetworkConfig &config) {
  std::string name = BridgeConfig{}.bridge;
  (void)top_of(config).read("bridge", name);
  return name;
}

} // namespace sluice::cni
