#include "cni/flannel_config.hpp"

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

constexpr std::uint32_t kMaxMtu = 65535;

using Lines = std::map<std::string, std::string, std::less<>>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    if (const auto equals = line.find('='); equals != std::string_view::npos)
      lines[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

CniError wrong(const char *name, const std::string &value) {
  return {Code::invalid_config, std::string(name) + " is \"" + value + "\""};
}

Outcome<> read_networks(const Lines &lines, const char *name, Family family,
                        std::vector<Cidr> &into) {
  const auto found = lines.find(name);
  if (found == lines.end())
    return {};
  std::string_view left = found->second;
  for (;;) {
    const auto comma = std::min(left.find(','), left.size());
    const auto network = InterfaceAddress::parse(left.substr(0, comma));
    if (!network || network->ip.family() != family)
      return fail(wrong(name, found->second));
    into.push_back(network->network());
    if (comma == left.size())
      return {};
    left.remove_prefix(comma + 1);
  }
}

Outcome<> read_subnet(const Lines &lines, const char *name, Family family,
                      std::optional<Cidr> &into) {
  std::vector<Cidr> subnets;
  SLUICE_PASS(read_networks(lines, name, family, subnets));
  if (subnets.size() > 1)
    return fail(wrong(name, lines.find(name)->second));
  if (!subnets.empty())
    into = subnets.front();
  return {};
}

Outcome<> read_mtu(const Lines &lines, std::uint32_t &into) {
  const auto found = lines.find("FLANNEL_MTU");
  if (found == lines.end())
    return {};
  const auto &text = found->second;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), into);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || into > kMaxMtu)
    return fail(wrong("FLANNEL_MTU", text));
  return {};
}

std::string missing_in(const Lines &lines, const SubnetEnv &env) {
  std::string missing;
  const auto need = [&](bool there, const char *what) {
    if (!there)
      missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  need(!env.networks.empty(), "FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK");
  need(env.ipv4 || env.ipv6, "FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET");
  need(lines.count("FLANNEL_MTU") > 0, "FLANNEL_MTU");
  need(lines.count("FLANNEL_IPMASQ") > 0, "FLANNEL_IPMASQ");
  return missing;
}

template <class Value> void set_default(Json &object, const char *key, Value value) {
  if (!find_member(object, key))
    object[key] = value;
}

Json ipam_of(const ObjectReader &top, const SubnetEnv &env) {
  const Json *given = find_member(top.json(), "ipam");
  Json ipam = given ? *given : Json::object();
  set_default(ipam, "type", "host-local");
  auto ranges = Json::array();
  for (const auto &subnet : {env.ipv4, env.ipv6})
    if (subnet)
      ranges.push_back(Json::array({Json::object({{"subnet", subnet->str()}})}));
  ipam["ranges"] = std::move(ranges);
  const Json *given_routes = find_member(ipam, "routes");
  Json routes = given_routes ? *given_routes : Json::array();
  for (const auto &network : env.networks)
    routes.push_back(Json::object({{"dst", network.str()}}));
  ipam["routes"] = std::move(routes);
  return ipam;
}

Outcome<> check_delegate(const ObjectReader &delegate) {
  std::string type = "bridge";
  SLUICE_PASS(delegate.read("type", type));
  for (const auto *key : {"name", "ipam"})
    if (delegate.mentions(key))
      return fail(delegate.wrong(key, "flannel sets it; remove it"));
  return {};
}

} // namespace

Outcome<SubnetEnv> parse_subnet_env(std::string_view text) {
  const auto lines = lines_of(text);
  SubnetEnv env;
  SLUICE_PASS(read_networks(lines, "FLANNEL_NETWORK", Family::ipv4, env.networks));
  SLUICE_PASS(read_networks(lines, "FLANNEL_IPV6_NETWORK", Family::ipv6, env.networks));
  SLUICE_PASS(read_subnet(lines, "FLANNEL_SUBNET", Family::ipv4, env.ipv4));
  SLUICE_PASS(read_subnet(lines, "FLANNEL_IPV6_SUBNET", Family::ipv6, env.ipv6));
  SLUICE_PASS(read_mtu(lines, env.mtu_bytes));
  if (const auto found = lines.find("FLANNEL_IPMASQ"); found != lines.end())
    env.masquerades = found->second == "true";
  if (const auto missing = missing_in(lines, env); !missing.empty())
    return fail(Code::invalid_config, "missing: " + missing);
  return env;
}

FlannelFiles flannel_files(const NetworkConfig &config) {
  FlannelFiles files;
  const auto read = [&](const char *key, std::string &into) {
    std::string text;
    (void)top_of(config).read(key, text);
    if (!text.empty())
      into = std::move(text);
  };
  read("subnetFile", files.subnet_file);
  read("dataDir", files.data_dir);
  return files;
}

Outcome<std::string> delegate_config(const NetworkConfig &config, const SubnetEnv &env) {
  const auto top = top_of(config);
  SLUICE_TAKE(const auto given, top.object("delegate"));
  SLUICE_TAKE(const auto given_ipam, top.object("ipam"));
  if (given_ipam && given_ipam->has("routes") &&
      !find_member(given_ipam->json(), "routes")->is_array())
    return fail(given_ipam->wrong("routes", "expected a list of objects"));
  if (given)
    SLUICE_PASS(check_delegate(*given));
  Json delegate = given ? given->json() : Json::object();
  delegate["name"] = config.name;
  set_default(delegate, "type", "bridge");
  set_default(delegate, "ipMasq", !env.masquerades);
  set_default(delegate, "mtu", env.mtu_bytes);
  if (*find_member(delegate, "type") == "bridge" || *find_member(delegate, "type") == "sluice")
    set_default(delegate, "isGateway", true);
  if (top.has("cniVersion"))
    delegate["cniVersion"] = config.version.str();
  if (const Json *runtime = find_member(top.json(), "runtimeConfig"))
    delegate["runtimeConfig"] = *runtime;
  delegate["ipam"] = ipam_of(top, env);
  return to_text(delegate);
}

Outcome<std::string> with_member_of(const NetworkConfig &from, const char *key,
                                    std::string_view text) {
  SLUICE_TAKE(const auto document, JsonDocument::parse(text));
  Json object = document.root();
  const Json *member = find_member(from.document.root(), key);
  if (member && object.is_object())
    object[key] = *member;
  return to_text(object);
}

} // namespace sluice::cni
