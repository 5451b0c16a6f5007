#include "proxy/model/service_view.hpp"

#include <charconv>

namespace sluice::proxy {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<IpAddress> parse_of(std::string_view text, Family family) {
  const auto ip = IpAddress::parse_sloppy(trimmed(text));
  if (!ip || ip->family() != family)
    return std::nullopt;
  return *ip;
}

std::optional<IpAddress> cluster_ip(const kube::Service &service, Family family) {
  if (service.clusterIPs.empty() || service.clusterIPs.front() == "None")
    return std::nullopt;
  for (std::size_t i = 0; i < service.clusterIPs.size(); ++i) {
    if (i < service.ipFamilies.size() && service.ipFamilies[i] != family)
      continue;
    if (const auto ip = parse_of(service.clusterIPs[i], family))
      return ip;
  }
  return std::nullopt;
}

std::vector<IpAddress> addresses(const std::vector<std::string> &texts, Family family) {
  std::vector<IpAddress> out;
  for (const auto &text : texts)
    if (const auto ip = parse_of(text, family))
      out.push_back(*ip);
  return out;
}

/// Of mode VIP, or of the others.
std::vector<IpAddress> load_balancer_ips(const kube::Service &service, Family family, bool vip) {
  std::vector<IpAddress> out;
  for (const auto &ingress : service.loadBalancerIngress)
    if (vip == (ingress.ipMode.empty() || ingress.ipMode == "VIP"))
      if (const auto ip = parse_of(ingress.ip, family))
        out.push_back(*ip);
  return out;
}

std::vector<Cidr> source_ranges(const kube::Service &service, Family family) {
  std::vector<Cidr> out;
  for (const auto &text : service.loadBalancerSourceRanges) {
    const auto range = parse_cidr_sloppy(text);
    if (!range || range->family() != family)
      continue;
    if (range->prefix_length() == 0)
      return {};
    out.push_back(*range);
  }
  return out;
}

bool external_policy_counts(const kube::Service &service) {
  return service.type == kube::ServiceType::NodePort ||
         service.type == kube::ServiceType::LoadBalancer || !service.externalIPs.empty();
}

Port to_port(std::int32_t number) {
  return Port{number > 0 && number <= 65535 ? static_cast<std::uint16_t>(number)
                                            : std::uint16_t{0}};
}

std::vector<ServicePortView> ports(const kube::Service &service) {
  std::vector<ServicePortView> out;
  for (const auto &port : service.ports)
    if (const auto number = to_port(port.port); number.value != 0)
      out.push_back({port.name, port.protocol, number, to_port(port.nodePort)});
  return out;
}

} // namespace

std::optional<Cidr> parse_cidr_sloppy(std::string_view text) {
  text = trimmed(text);
  const auto slash = text.find('/');
  if (slash == std::string_view::npos)
    return std::nullopt;
  const auto ip = IpAddress::parse_sloppy(text.substr(0, slash));
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!ip || bad != std::errc{} || end != digits.data() + digits.size() || length > ip->bits())
    return std::nullopt;
  return Cidr(*ip, length);
}

std::optional<ServiceView> view_of(const kube::Service &service, Family family) {
  if (service.type == kube::ServiceType::ExternalName)
    return std::nullopt;
  const auto ip = cluster_ip(service, family);
  if (!ip)
    return std::nullopt;
  ServiceView view;
  view.clusterIP = *ip;
  view.externalIPs = addresses(service.externalIPs, family);
  view.loadBalancerIPs = load_balancer_ips(service, family, true);
  view.proxiedIPs = load_balancer_ips(service, family, false);
  view.sourceRanges = source_ranges(service, family);
  view.externalLocal = service.externalTrafficPolicy == kube::TrafficPolicy::Local &&
                       external_policy_counts(service);
  view.internalLocal = service.internalTrafficPolicy == kube::TrafficPolicy::Local;
  if (service.sessionAffinityClientIP)
    view.affinity = std::chrono::seconds(
        service.affinityTimeoutSeconds > 0 ? service.affinityTimeoutSeconds : 10800);
  if (service.type == kube::ServiceType::LoadBalancer && view.externalLocal)
    view.healthCheckNodePort = to_port(service.healthCheckNodePort);
  view.ports = ports(service);
  return view;
}

} // namespace sluice::proxy
