#include "cni/pod_check.hpp"

#include <algorithm>

namespace sluice::cni {

using kernel::Link;
using kernel::RtnlSocket;

Outcome<ObservedPod> observe_pod(const Namespaces &namespaces, const std::string &ifname) {
  return namespaces.in_pod([&]() -> Outcome<ObservedPod> {
    ObservedPod pod;
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    auto link = rtnl.read_link(ifname);
    if (!link && link.error().code() == Errc::not_found)
      return pod;
    if (!link)
      return fail(CniError(std::move(link.error())));
    SLUICE_TAKE(pod.addresses, rtnl.read_addresses_of(link->index));
    pod.link = std::move(*link);
    for (const auto family : {Family::ipv4, Family::ipv6}) {
      SLUICE_TAKE(const auto routes, rtnl.read_routes(family));
      pod.routes.insert(pod.routes.end(), routes.begin(), routes.end());
    }
    return pod;
  });
}

tl::unexpected<CniError> differs(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

Outcome<> check_mac(const std::string &what, const std::string &expected, const Link &link) {
  const auto mac = MacAddress::parse(expected);
  if (mac && *mac != link.mac)
    return differs(what + " has the MAC " + link.mac.str() + ", the result says " + expected);
  return {};
}

Outcome<> check_pod_link(const Interface &named, const ObservedPod &pod, bool up,
                         std::uint32_t mtu_bytes) {
  const auto what = "container interface " + quoted(named.name);
  if (!pod.link)
    return differs(what + " is missing");
  if (pod.link->kind != "veth")
    return differs(what + " is no veth, its kind is " + quoted(pod.link->kind));
  if (up && !pod.link->up)
    return differs(what + " is down");
  if (mtu_bytes != 0 && pod.link->mtu_bytes != mtu_bytes)
    return differs(what + " has the MTU " + std::to_string(pod.link->mtu_bytes) +
                   ", the configuration says " + std::to_string(mtu_bytes));
  return check_mac(what, named.mac, *pod.link);
}

Outcome<> check_addresses(const AddResult &previous, const ObservedPod &pod) {
  for (const auto &ip : previous.ips) {
    const bool held =
        std::any_of(pod.addresses.begin(), pod.addresses.end(),
                    [&](const auto &held_ip) { return held_ip.address == ip.address; });
    if (!held)
      return differs("the container does not hold the address " + ip.address.str());
  }
  return {};
}

Outcome<> check_routes(const AddResult &previous, const ObservedPod &pod) {
  for (const auto &wanted : previous.routes) {
    const bool there = std::any_of(pod.routes.begin(), pod.routes.end(), [&](const auto &route) {
      return route.destination == wanted.destination &&
             (!wanted.gateway || route.gateway == wanted.gateway) &&
             (!wanted.table || route.table == *wanted.table);
    });
    if (!there)
      return differs("the container has no route to " + wanted.destination.str() +
                     (wanted.gateway ? " via " + wanted.gateway->str() : ""));
  }
  return {};
}

} // namespace sluice::cni
