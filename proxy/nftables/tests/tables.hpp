#pragma once
// Tables for tests: short to write, of either family.

#include "proxy/model/table.hpp"

namespace sluice::proxy::nftables::tests {

inline IpAddress ip(const std::string &text) { return *IpAddress::parse(text); }
inline SocketAddress socket_address(const std::string &text) { return *SocketAddress::parse(text); }
inline Frontend frontend(const std::string &address_and_port, Protocol protocol = Protocol::tcp) {
  const auto at = socket_address(address_and_port);
  return {at.ip, at.port, protocol};
}

/// A clusterIP as the model makes it with a local detector: only pods are not masqueraded.
inline FrontendInfo cluster_ip(std::uint32_t set, const std::string &name = "web") {
  const BackendSetId id(set);
  return {.kind = FrontendKind::cluster_ip,
          .service = {"default", name, ""},
          .from_pod = {id, false, WhenEmpty::reject},
          .from_node = {id, true, WhenEmpty::reject},
          .from_outside = {id, true, WhenEmpty::reject}};
}

inline BackendSet backends(std::initializer_list<const char *> addresses, bool local = false) {
  BackendSet set;
  for (const auto *address : addresses)
    set.push_back({.address = socket_address(address), .local = local});
  std::sort(set.begin(), set.end());
  return set;
}

inline Table empty_table(Family family) {
  Table table;
  table.family = family;
  const bool v4 = family == Family::ipv4;
  table.node.localDetector = {.kind = LocalDetector::Kind::cidr,
                              .cidrs = {*Cidr::parse(v4 ? "10.244.0.0/24" : "fd00:10:244::/64")},
                              .interface = {}};
  table.node.serviceCidrs = {*Cidr::parse(v4 ? "10.96.0.0/16" : "fd00:10:96::/112")};
  table.node.nodeAddresses = {ip(v4 ? "192.0.2.1" : "2001:db8::1")};
  return table;
}

/// `services` of `endpoints` each, all different.
inline Table many(Family family, std::uint32_t services, std::uint32_t endpoints) {
  auto table = empty_table(family);
  const auto pods = family == Family::ipv4 ? ip("10.128.0.0") : ip("fd00:128::");
  const auto cluster = family == Family::ipv4 ? ip("10.96.0.0") : ip("fd00:10:96::");
  for (std::uint32_t s = 0; s < services; ++s) {
    const BackendSetId set(s + 1);
    auto &of = table.backendSets[set];
    for (std::uint32_t e = 0; e < endpoints; ++e)
      of.push_back(
          {.address = {pods.advanced(s * endpoints + e + 1), Port(8080)}, .local = e == 0});
    table.frontends[{cluster.advanced(s + 1), Port(80), Protocol::tcp}] =
        cluster_ip(set.value, "s" + std::to_string(s));
  }
  return table;
}

} // namespace sluice::proxy::nftables::tests
