#include "cni/portmap/config.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

constexpr std::int64_t kLastPort = 65535;
constexpr std::size_t kLongestChain = 28; // XT_EXTENSION_MAXNAMELEN - 1

Outcome<PortMapping> parse_mapping(const ObjectReader &entry) {
  const auto port = [&](const char *key) -> Outcome<Port> {
    SLUICE_TAKE(const auto number, entry.number(key, 1, kLastPort));
    if (!number)
      return fail(Code::invalid_config, entry.path() + key + " is missing: a port 1..65535");
    return Port{static_cast<std::uint16_t>(*number)};
  };
  PortMapping mapping;
  SLUICE_TAKE(mapping.host, port("hostPort"));
  SLUICE_TAKE(mapping.container, port("containerPort"));
  std::string protocol = "tcp", host_ip;
  SLUICE_PASS(entry.read("protocol", protocol));
  const auto parsed = parse_protocol(protocol);
  if (!parsed)
    return fail(entry.wrong("protocol", "it is tcp, udp or sctp"));
  mapping.protocol = *parsed;
  SLUICE_PASS(entry.read("hostIP", host_ip));
  if (host_ip.empty())
    return mapping;
  const auto ip = IpAddress::parse(host_ip);
  if (!ip)
    return fail(entry.wrong("hostIP", "it is no IP address"));
  mapping.host_ip = *ip;
  return mapping;
}

/// Words that iptables takes begin with '-' or '!'.
PortmapBackend dialect_of(const std::string &first_word) {
  return first_word.starts_with('-') || first_word.starts_with('!') ? PortmapBackend::iptables
                                                                    : PortmapBackend::nftables;
}

/// Settles on the back end that `key` needs.
Outcome<> need(PortmapConfig &config, PortmapBackend needed, const std::string &key) {
  if (config.backend.value_or(needed) != needed)
    return fail(Code::invalid_config,
                key + " is for " + (needed == PortmapBackend::iptables ? "iptables" : "nftables") +
                    ", and the back end is the other one (backend, conditionsV4, conditionsV6)");
  config.backend = needed;
  return {};
}

Outcome<> read_conditions(const ObjectReader &top, const char *key, PortmapConfig &config,
                          std::vector<std::string> &into) {
  SLUICE_PASS(top.read(key, into));
  for (const auto &word : into)
    for (const char c : word)
      if (static_cast<unsigned char>(c) < ' ')
        return fail(top.wrong(key, "a word holds a control character"));
  if (into.empty())
    return {};
  return need(config, dialect_of(into.front()), key);
}

Outcome<> read_marking(const ObjectReader &top, PortmapConfig &config) {
  SLUICE_TAKE(const auto bit, top.number("markMasqBit", 0, 31));
  auto &chain = config.external_set_mark_chain;
  SLUICE_PASS(top.read("externalSetMarkChain", chain));
  if (top.has("externalSetMarkChain") && bit)
    return fail(Code::invalid_config,
                "externalSetMarkChain and markMasqBit are both set: only one can be");
  config.mark_bit = static_cast<unsigned>(bit.value_or(config.mark_bit));
  if (chain.empty())
    return {};
  const bool clean = std::all_of(chain.begin(), chain.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
  });
  if (!clean || chain.front() == '-' || chain.size() > kLongestChain)
    return fail(top.wrong("externalSetMarkChain", "it is no name that a chain can have"));
  return need(config, PortmapBackend::iptables, "externalSetMarkChain");
}

} // namespace

Outcome<PortmapConfig> parse_portmap_config(const NetworkConfig &network) {
  PortmapConfig config;
  const auto top = top_of(network);
  std::string backend;
  SLUICE_PASS(top.read("backend", backend));
  if (backend == "iptables" || backend == "nftables")
    config.backend = backend == "iptables" ? PortmapBackend::iptables : PortmapBackend::nftables;
  else if (!backend.empty())
    return fail(top.wrong("backend", "it is \"iptables\" or \"nftables\""));
  SLUICE_PASS(top.read("snat", config.snat));
  SLUICE_PASS(top.read("masqAll", config.masq_all));
  SLUICE_PASS(read_conditions(top, "conditionsV4", config, config.conditions_v4));
  SLUICE_PASS(read_conditions(top, "conditionsV6", config, config.conditions_v6));
  SLUICE_PASS(read_marking(top, config));
  SLUICE_TAKE(const auto runtime, top.object("runtimeConfig"));
  if (!runtime)
    return config;
  SLUICE_TAKE(const auto entries, runtime->objects("portMappings"));
  for (const auto &entry : entries) {
    SLUICE_TAKE(auto mapping, parse_mapping(entry));
    config.mappings.push_back(std::move(mapping));
  }
  return config;
}

std::vector<PortMapping> mappings_of(const PortmapConfig &config, Family family) {
  std::vector<PortMapping> found;
  for (const auto &mapping : config.mappings)
    if (!mapping.host_ip || mapping.host_ip->family() == family)
      found.push_back(mapping);
  return found;
}

std::optional<IpAddress> certain_host_ip(const PortMapping &mapping) {
  return mapping.host_ip && !mapping.host_ip->is_unspecified() ? mapping.host_ip : std::nullopt;
}

std::vector<InterfaceAddress> pod_addresses(const AddResult &result, const std::string &ifname) {
  std::vector<InterfaceAddress> found;
  for (const auto &ip : result.ips) {
    const auto same_family = [&](const auto &other) {
      return other.ip.family() == ip.address.ip.family();
    };
    if (std::any_of(found.begin(), found.end(), same_family))
      continue;
    if (ip.interface && *ip.interface < result.interfaces.size()) {
      const auto &interface = result.interfaces[*ip.interface];
      if (interface.name != ifname || interface.sandbox.empty())
        continue;
    }
    found.push_back(ip.address);
  }
  return found;
}

} // namespace sluice::cni
