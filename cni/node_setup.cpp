#include "cni/node_setup.hpp"

#include "kernel/sysctl.hpp"

#include <algorithm>

namespace sluice::cni {

using kernel::Sysctl;

bool has_family(const AddResult &result, Family family) {
  return std::any_of(result.ips.begin(), result.ips.end(),
                     [&](const auto &ip) { return ip.address.ip.family() == family; });
}

Outcome<> forward_packets(const AddResult &addresses, const char *why) {
  if (has_family(addresses, Family::ipv4))
    SLUICE_TRY(Sysctl().write("net/ipv4/ip_forward", "1"), why);
  if (has_family(addresses, Family::ipv6))
    SLUICE_TRY(Sysctl().write("net/ipv6/conf/all/forwarding", "1"), why);
  return {};
}

Outcome<> prepare_ipv6(const std::string &ifname, const AddResult &addresses,
                       bool duplicate_address_detection) {
  if (!has_family(addresses, Family::ipv6))
    return {};
  const Sysctl sysctl;
  const auto conf = [](const std::string &link, const char *key) {
    return "net/ipv6/conf/" + link + "/" + key;
  };
  SLUICE_TRY(sysctl.write(conf("lo", "disable_ipv6"), "0"), "prepare the container for IPv6");
  SLUICE_TRY(sysctl.write(conf(ifname, "disable_ipv6"), "0"), "prepare the container for IPv6");
  // These differ from the default: a look at them first would be in vain.
  SLUICE_TRY(sysctl.overwrite(conf(ifname, "keep_addr_on_down"), "1"),
             "prepare the container for IPv6");
  const auto *detection = duplicate_address_detection ? "1" : "0";
  SLUICE_TRY(sysctl.overwrite(conf(ifname, "accept_dad"), detection),
             "prepare the container for IPv6");
  return {};
}

} // namespace sluice::cni
