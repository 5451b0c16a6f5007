#include "cni/bridge_config.hpp"
#include "cni/direct_plan.hpp"

#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

constexpr std::int64_t kMaxMtu = 65535;

Outcome<> refuse_if_asked(const ObjectReader &top, const char *key) {
  bool asked = false;
  SLUICE_PASS(top.read(key, asked));
  if (!asked)
    return {};
  return fail(Code::unsupported_field,
              std::string(key) + " is true, which is not supported in mode \"routed\"",
              "it is a matter of bridges");
}

/// A key that would change nothing (bridge, isGateway, hairpinMode) may stay when the mode changes.
Outcome<> refuse_matters_of_bridges(const ObjectReader &top) {
  for (const auto *key :
       {"promiscMode", "portIsolation", "disableContainerInterface", "macspoofchk"})
    SLUICE_PASS(refuse_if_asked(top, key));
  SLUICE_TAKE(const auto vlan, top.number("vlan", 0, 4094));
  if (vlan.value_or(0) != 0 || top.has("vlanTrunk"))
    return fail(Code::unsupported_field,
                "vlan or vlanTrunk is set, which is not supported in mode \"routed\"",
                "it is a matter of bridges");
  return {};
}

} // namespace

bool names_dns(const NetworkConfig &config) {
  const auto dns = top_of(config).object("dns");
  if (!dns || !*dns)
    return false;
  const auto &fields = **dns;
  return fields.has("nameservers") || fields.has("domain") || fields.has("search") ||
         fields.has("options");
}

Outcome<DirectConfig> parse_direct_config(const NetworkConfig &network, std::string_view args,
                                          Layout layout) {
  DirectConfig config;
  config.layout = layout;
  const auto top = top_of(network);
  if (network.ipam_type.empty())
    return fail(Code::invalid_config,
                "ipam.type is missing: a pod that is routed to needs an address");
  SLUICE_TAKE(config.masquerade, parse_masquerade(network));
  SLUICE_TAKE(const auto mtu, top.number("mtu", 0, kMaxMtu));
  config.mtu_bytes = static_cast<std::uint32_t>(mtu.value_or(0));
  if (layout == Layout::ptp)
    return config;
  SLUICE_PASS(refuse_matters_of_bridges(top));
  SLUICE_PASS(top.read("enabledad", config.duplicate_address_detection));
  SLUICE_TAKE(config.mac, requested_mac(network, args));
  return config;
}

} // namespace sluice::cni
