#include "cni/loopback.hpp"

#include "cni/namespaces.hpp"
#include "kernel/rtnl.hpp"

#include <algorithm>

namespace sluice::cni {

using kernel::LinkAddress;
using kernel::RtnlSocket;

namespace {

/// Whatever CNI_IFNAME says.
const std::string kLoopback = "lo";

Outcome<> set_up(bool up) {
  const auto doing = std::string("set \"lo\" of the container ") + (up ? "up" : "down");
  SLUICE_ASSIGN(auto rtnl, RtnlSocket::open(), doing);
  SLUICE_TRY(rtnl.apply(kernel::RtnlBatch().add(kernel::SetLink{.link = kLoopback, .up = up})),
             doing);
  return {};
}

Outcome<std::vector<LinkAddress>> read_addresses() {
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto link, rtnl.read_link(kLoopback));
  SLUICE_TAKE(auto addresses, rtnl.read_addresses_of(link.index));
  return addresses;
}

/// The first of each family. An address that is not of the loopback range is somebody's mistake.
Outcome<AddResult> result_of(const std::vector<LinkAddress> &addresses, const std::string &netns) {
  AddResult result;
  result.interfaces.push_back({.name = kLoopback, .mac = MacAddress().str(), .sandbox = netns});
  for (const auto &held : addresses) {
    const auto &ip = held.address.ip;
    if (!ip.is_loopback())
      return fail(Code::invalid_config, "\"lo\" of the container holds " + held.address.str() +
                                            ", which is no loopback address");
    const bool another = std::any_of(result.ips.begin(), result.ips.end(), [&](const auto &first) {
      return first.address.ip.family() == ip.family();
    });
    if (!another)
      result.ips.push_back({.address = held.address, .gateway = {}, .interface = 0});
  }
  return result;
}

} // namespace

Outcome<AddResult> LoopbackPlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  SLUICE_PASS(namespaces.in_pod([] { return set_up(true); }));
  if (request.config.previous)
    return *request.config.previous;
  SLUICE_TAKE(const auto addresses, namespaces.in_pod(read_addresses));
  return result_of(addresses, request.environment.netns);
}

Outcome<> LoopbackPlugin::del(const Request &request) const {
  const auto namespaces = open_namespaces(request.environment);
  if (!namespaces)
    return {}; // gone, and its "lo" with it
  return namespaces->in_pod([] { return set_up(false); });
}

Outcome<> LoopbackPlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  return namespaces.in_pod([]() -> Outcome<> {
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    SLUICE_TAKE(const auto link, rtnl.read_link(kLoopback));
    if (!link.up)
      return fail(Code::check_failed, "\"lo\" of the container is down");
    return {};
  });
}

} // namespace sluice::cni
