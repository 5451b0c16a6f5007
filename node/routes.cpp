#include "node/routes.hpp"

#include "net/diff.hpp"

namespace sluice::node {
namespace {

constexpr std::uint32_t kMainTable = 254;
constexpr std::uint8_t kUnicast = 1;
constexpr std::uint32_t kIpv6DefaultMetric = 1024;

kernel::Route route_of(const Cidr &destination, const IpAddress &gateway) {
  kernel::Route route;
  route.destination = destination;
  route.gateway = gateway;
  return route;
}

bool has_usual_metric(const kernel::Route &route) noexcept {
  return route.priority == 0 ||
         (route.destination.family() == Family::ipv6 && route.priority == kIpv6DefaultMetric);
}

} // namespace

bool is_ours(const kernel::Route &route) noexcept {
  return route.protocol == kernel::kRouteProtocol && route.table == kMainTable &&
         route.type == kUnicast && route.gateway.has_value();
}

kernel::RtnlBatch plan_routes(const std::vector<kernel::Route> &actual,
                              const std::map<Cidr, IpAddress> &desired) {
  std::map<Cidr, IpAddress> held;
  std::vector<kernel::Route> strays;
  for (const auto &route : actual)
    if (is_ours(route) &&
        (!has_usual_metric(route) || !held.emplace(route.destination, *route.gateway).second))
      strays.push_back(route);

  const auto change = diff(held, desired);
  kernel::RtnlBatch batch;
  // A second next hop of a destination goes before the first is replaced.
  for (const auto &route : strays)
    batch.add(kernel::DeleteRoute{route});
  for (const auto &[destination, gateway] : change.set)
    batch.add(kernel::AddRoute{.route = route_of(destination, gateway),
                               .existing = held.count(destination) != 0
                                               ? kernel::Existing::replace
                                               : kernel::Existing::refuse});
  for (const auto &destination : change.remove)
    batch.add(kernel::DeleteRoute{route_of(destination, held.at(destination))});
  return batch;
}

} // namespace sluice::node
