#include "cni/pod_routes.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>

namespace sluice::cni {

using kernel::IfIndex;
using kernel::RtnlBatch;

namespace {

kernel::Route route_of(const PodRoute &route, IfIndex link) {
  kernel::Route made;
  made.destination = route.destination;
  made.gateway = route.gateway;
  made.link = link;
  made.table = route.table.value_or(RT_TABLE_MAIN);
  made.priority = route.priority.value_or(0);
  // IPv6 has no scopes; an IPv4 route without gateway is to a neighbour on the link.
  const bool v4 = route.destination.family() == Family::ipv4;
  made.scope = route.scope.value_or(v4 && !route.gateway ? std::uint8_t{RT_SCOPE_LINK}
                                                         : std::uint8_t{RT_SCOPE_UNIVERSE});
  made.mtu_bytes = route.mtu_bytes.value_or(0);
  made.advmss = route.advmss.value_or(0);
  return made;
}

} // namespace

std::optional<IpAddress> gateway_of(const AddResult &result, Family family) {
  for (const auto &ip : result.ips)
    if (ip.address.ip.family() == family && ip.gateway)
      return ip.gateway;
  return std::nullopt;
}

void complete_routes(AddResult &result) {
  for (auto &route : result.routes)
    if (!route.gateway && route.scope.value_or(RT_SCOPE_UNIVERSE) < RT_SCOPE_LINK)
      route.gateway = gateway_of(result, route.destination.family());
}

Cidr default_destination(Family family) {
  const auto none = std::array<std::uint8_t, 16>{};
  return {family == Family::ipv4 ? IpAddress::from_v4(0) : IpAddress::from_bytes(none), 0};
}

bool has_default_route(const AddResult &result, Family family) {
  return std::any_of(result.routes.begin(), result.routes.end(), [&](const PodRoute &route) {
    return route.destination == default_destination(family);
  });
}

void add_routes(const AddResult &result, IfIndex link, RtnlBatch &batch) {
  for (auto route = result.routes.begin(); route != result.routes.end(); ++route) {
    const bool another = std::any_of(result.routes.begin(), route, [&](const PodRoute &earlier) {
      return earlier.destination == route->destination && earlier.table == route->table &&
             earlier.priority == route->priority;
    });
    batch.add(kernel::AddRoute{.route = route_of(*route, link),
                               .existing =
                                   another ? kernel::Existing::append : kernel::Existing::refuse});
  }
}

} // namespace sluice::cni
