#include "cni/protocol/result.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

constexpr Version kFirstWithInterfaces{0, 3, 0};
constexpr Version kFirstWithoutIpVersion{1, 0, 0};
constexpr std::int64_t kMaxU32 = 0xffffffff;

/// Reads `key` as text and parses it with `parse`; absent or "" leaves nullopt.
template <class T>
Outcome<std::optional<T>> read_parsed(const ObjectReader &object, std::string_view key,
                                      Result<T> (*parse)(std::string_view)) {
  std::string text;
  SLUICE_PASS(object.read(key, text));
  if (text.empty())
    return std::optional<T>{};
  auto parsed = parse(text);
  if (!parsed)
    return fail(object.wrong(key, parsed.error().what()));
  return std::optional<T>(*parsed);
}

template <class T>
Outcome<T> required(const ObjectReader &object, std::string_view key,
                    Result<T> (*parse)(std::string_view)) {
  SLUICE_TAKE(const std::optional<T> value, read_parsed<T>(object, key, parse));
  if (!value)
    return fail(object.wrong(key, "it is needed"));
  return *value;
}

Outcome<> read_number(const ObjectReader &object, std::string_view key,
                      std::optional<std::uint32_t> &into) {
  SLUICE_TAKE(const auto value, object.number(key, 0, kMaxU32));
  if (value)
    into = static_cast<std::uint32_t>(*value);
  return {};
}

Outcome<Interface> parse_interface(const ObjectReader &object) {
  Interface interface;
  SLUICE_PASS(object.read("name", interface.name));
  SLUICE_PASS(object.read("mac", interface.mac));
  SLUICE_PASS(object.read("sandbox", interface.sandbox));
  SLUICE_PASS(object.read("socketPath", interface.socket_path));
  SLUICE_PASS(object.read("pciID", interface.pci_id));
  SLUICE_TAKE(const auto mtu, object.number("mtu", 0, kMaxU32));
  interface.mtu_bytes = static_cast<std::uint32_t>(mtu.value_or(0));
  return interface;
}

Outcome<AssignedIp> parse_ip(const ObjectReader &object) {
  AssignedIp ip;
  SLUICE_TAKE(ip.address, required(object, "address", &InterfaceAddress::parse));
  SLUICE_TAKE(ip.gateway, read_parsed(object, "gateway", &IpAddress::parse));
  SLUICE_TAKE(const auto interface, object.number("interface", 0, kMaxU32));
  if (interface)
    ip.interface = static_cast<std::size_t>(*interface);
  return ip;
}

/// 0.1.0 and 0.2.0: {ip, gateway, routes} for one family.
Outcome<> parse_family(const ObjectReader &object, AddResult &into) {
  AssignedIp ip;
  SLUICE_TAKE(ip.address, required(object, "ip", &InterfaceAddress::parse));
  SLUICE_TAKE(ip.gateway, read_parsed(object, "gateway", &IpAddress::parse));
  into.ips.push_back(ip);
  SLUICE_TAKE(const auto routes, object.objects("routes"));
  for (const auto &item : routes) {
    SLUICE_TAKE(auto route, parse_route(item));
    into.routes.push_back(std::move(route));
  }
  return {};
}

Outcome<AddResult> parse_oldest(const ObjectReader &top) {
  AddResult result;
  for (const auto *key : {"ip4", "ip6"}) {
    SLUICE_TAKE(const auto family, top.object(key));
    if (family)
      SLUICE_PASS(parse_family(*family, result));
  }
  SLUICE_TAKE(result.dns, parse_dns(top));
  return result;
}

Outcome<AddResult> parse_latest(const ObjectReader &top) {
  AddResult result;
  SLUICE_TAKE(const auto interfaces, top.objects("interfaces"));
  for (const auto &item : interfaces) {
    SLUICE_TAKE(auto interface, parse_interface(item));
    result.interfaces.push_back(std::move(interface));
  }
  SLUICE_TAKE(const auto ips, top.objects("ips"));
  for (const auto &item : ips) {
    SLUICE_TAKE(const auto ip, parse_ip(item));
    result.ips.push_back(ip);
  }
  SLUICE_TAKE(const auto routes, top.objects("routes"));
  for (const auto &item : routes) {
    SLUICE_TAKE(auto route, parse_route(item));
    result.routes.push_back(std::move(route));
  }
  SLUICE_TAKE(result.dns, parse_dns(top));
  return result;
}

/// A result that does not read is a decoding error, whatever member is wrong.
Outcome<AddResult> as_decode_error(Outcome<AddResult> outcome) {
  if (!outcome && outcome.error().is(Code::invalid_config))
    return fail(Code::decode, outcome.error().message(), outcome.error().details());
  return outcome;
}

// ---- writing ---------------------------------------------------------------------------------

template <class T> void put(Json &object, const char *key, const std::optional<T> &value) {
  if (value)
    object[key] = *value;
}

void put(Json &object, const char *key, const std::string &value) {
  if (!value.empty())
    object[key] = value;
}

void put(Json &object, const char *key, const std::vector<std::string> &value) {
  if (!value.empty())
    object[key] = value;
}

Json dns_json(const Dns &dns) {
  Json object = Json::object();
  put(object, "nameservers", dns.nameservers);
  put(object, "domain", dns.domain);
  put(object, "search", dns.search);
  put(object, "options", dns.options);
  return object;
}

Json interface_json(const Interface &interface, const Version &version) {
  Json object = {{"name", interface.name}};
  put(object, "mac", interface.mac);
  const bool latest = version >= kFirstWithoutIpVersion;
  if (latest && interface.mtu_bytes != 0)
    object["mtu"] = interface.mtu_bytes;
  put(object, "sandbox", interface.sandbox);
  if (latest) {
    put(object, "socketPath", interface.socket_path);
    put(object, "pciID", interface.pci_id);
  }
  return object;
}

Json ip_json(const AssignedIp &ip, const Version &version) {
  Json object = Json::object();
  if (version < kFirstWithoutIpVersion)
    object["version"] = ip.address.ip.is_v4() ? "4" : "6";
  put(object, "interface", ip.interface);
  object["address"] = ip.address.str();
  if (ip.gateway)
    object["gateway"] = ip.gateway->str();
  return object;
}

Json route_json(const PodRoute &route, const Version &version) {
  Json object = {{"dst", route.destination.str()}};
  if (route.gateway)
    object["gw"] = route.gateway->str();
  if (version < kFirstWithoutIpVersion)
    return object;
  put(object, "mtu", route.mtu_bytes);
  put(object, "advmss", route.advmss);
  put(object, "priority", route.priority);
  put(object, "table", route.table);
  put(object, "scope", route.scope);
  return object;
}

Outcome<std::string> oldest_text(const AddResult &result, const Version &version) {
  Json object = {{"cniVersion", version.str()}};
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const auto ip = std::find_if(result.ips.begin(), result.ips.end(), [&](const auto &candidate) {
      return candidate.address.ip.family() == family;
    });
    if (ip == result.ips.end())
      continue;
    Json &part = object[family == Family::ipv4 ? "ip4" : "ip6"];
    part = {{"ip", ip->address.str()}};
    if (ip->gateway)
      part["gateway"] = ip->gateway->str();
    for (const auto &route : result.routes)
      if (route.destination.family() == family)
        part["routes"].push_back(route_json(route, version));
  }
  if (object.size() == 1)
    return fail(Code::incompatible_version,
                "a result without an IP address cannot be written in the form of cniVersion " +
                    version.str());
  object["dns"] = dns_json(result.dns);
  return to_text(object);
}

} // namespace

Outcome<Dns> parse_dns(const ObjectReader &object) {
  Dns dns;
  SLUICE_TAKE(const auto member, object.object("dns"));
  if (!member)
    return dns;
  SLUICE_PASS(member->read("nameservers", dns.nameservers));
  SLUICE_PASS(member->read("domain", dns.domain));
  SLUICE_PASS(member->read("search", dns.search));
  SLUICE_PASS(member->read("options", dns.options));
  return dns;
}

Outcome<PodRoute> parse_route(const ObjectReader &object) {
  PodRoute route;
  SLUICE_TAKE(const auto destination, required(object, "dst", &InterfaceAddress::parse));
  route.destination = destination.network();
  SLUICE_TAKE(route.gateway, read_parsed(object, "gw", &IpAddress::parse));
  SLUICE_PASS(read_number(object, "mtu", route.mtu_bytes));
  SLUICE_PASS(read_number(object, "advmss", route.advmss));
  SLUICE_PASS(read_number(object, "priority", route.priority));
  SLUICE_PASS(read_number(object, "table", route.table));
  SLUICE_TAKE(const auto scope, object.number("scope", 0, 255));
  if (scope)
    route.scope = static_cast<std::uint8_t>(*scope);
  return route;
}

Outcome<AddResult> parse_result(const Json &result, const Version &otherwise) {
  if (!result.is_object())
    return fail(Code::decode, "the result is no JSON object");
  const ObjectReader top(result, "");
  std::string version_text;
  SLUICE_TRY(top.read("cniVersion", version_text), "read the result");
  const auto version = version_text.empty() ? otherwise : parse_version(version_text);
  if (!version || !is_supported(*version))
    return fail(Code::incompatible_version,
                "the result has cniVersion \"" + version_text + "\", which is not supported",
                "supported are " + supported_versions_text());
  return as_decode_error(*version < kFirstWithInterfaces ? parse_oldest(top) : parse_latest(top));
}

Outcome<AddResult> parse_result(std::string_view text, const Version &otherwise) {
  SLUICE_ASSIGN(const auto document, JsonDocument::parse(text), "read the result");
  return parse_result(document.root(), otherwise);
}

Outcome<std::string> to_text(const AddResult &result, const Version &version) {
  if (version < kFirstWithInterfaces)
    return oldest_text(result, version);
  Json object = {{"cniVersion", version.str()}};
  for (const auto &interface : result.interfaces)
    object["interfaces"].push_back(interface_json(interface, version));
  for (const auto &ip : result.ips)
    object["ips"].push_back(ip_json(ip, version));
  for (const auto &route : result.routes)
    object["routes"].push_back(route_json(route, version));
  if (!result.dns.empty() || version < kFirstWithoutIpVersion)
    object["dns"] = dns_json(result.dns);
  return to_text(object);
}

} // namespace sluice::cni
