#include "cni/bridge.hpp"

#include "cni/bridge_add.hpp"
#include "cni/bridge_check.hpp"
#include "cni/detach.hpp"
#include "cni/ipam_client.hpp"
#include "cni/pod_check.hpp"
#include "cni/spoof_check.hpp"

#include <cerrno>

namespace sluice::cni {

using kernel::RtnlSocket;

namespace {

Outcome<> check_spoof_check(const BridgeConfig &config, const Attachment &attachment,
                            const std::string &host_link) {
  if (!config.spoof_check)
    return {};
  SLUICE_TAKE(const bool there, has_spoof_check(attachment));
  if (!there)
    return fail(Code::check_failed,
                "nft table \"bridge nat\" does not check the source MAC of \"" + host_link + "\"");
  return {};
}

Outcome<> check_vlans(const Vlans &vlans, const kernel::Link &bridge, const kernel::Link &port) {
  if (!vlans.wanted())
    return {};
  if (bridge.vlan_filtering != true)
    return differs("bridge \"" + bridge.name + "\" does not filter VLANs");
  const auto actual = kernel::read_port_vlans(port.index);
  if (!actual && actual.error().sys() == EOPNOTSUPP)
    return {}; // a kernel before 5.6 does not tell
  if (!actual)
    return fail(CniError(actual.error()));
  return check_port_vlans(vlans, "host link \"" + port.name + "\"", *actual);
}

/// A VLAN's gateway addresses are on a link of their own.
Outcome<ObservedBridge> observe_with_gateway(RtnlSocket &rtnl, const BridgeConfig &config) {
  SLUICE_TAKE(auto bridge, observe_bridge(rtnl, config.bridge));
  if (gateway_link(config) != config.bridge) {
    SLUICE_TAKE(auto gateway, observe_bridge(rtnl, gateway_link(config)));
    bridge.addresses = std::move(gateway.addresses);
  }
  return bridge;
}

} // namespace

Outcome<AddResult> BridgePlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_bridge_config(request.config, request.environment.args));
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  if (request.config.ipam_type.empty())
    return attach_to_bridge(request, config, namespaces, {}, netfilter_);
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  SLUICE_TAKE(auto addresses, ipam.add());
  auto result = attach_to_bridge(request, config, namespaces, std::move(addresses), netfilter_);
  if (!result)
    (void)ipam.del();
  return result;
}

Outcome<> BridgePlugin::del(const Request &request) const {
  SLUICE_PASS(detach(request));
  // Without their link the rules see no frame.
  return wants_spoof_check(request.config) ? remove_spoof_check(request.environment.attachment)
                                           : Outcome<>{};
}

Outcome<> BridgePlugin::check(const Request &request) const {
  const auto &environment = request.environment;
  SLUICE_TAKE(const auto config, parse_bridge_config(request.config, environment.args));
  if (!request.config.previous)
    return fail(Code::invalid_config, "prevResult is missing: CHECK compares with it");
  const auto &previous = *request.config.previous;
  SLUICE_TAKE(const auto named,
              links_of(previous, config.bridge, environment.attachment.ifname, environment.netns));
  SLUICE_PASS(check_ipam(request));
  SLUICE_TAKE(const auto namespaces, open_namespaces(environment));
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto bridge, observe_with_gateway(rtnl, config));
  const auto host_link = rtnl.read_link(named.host.name);
  SLUICE_TAKE(const auto pod, observe_pod(namespaces, environment.attachment.ifname));
  SLUICE_PASS(check_bridge_attachment(config, previous, named, bridge,
                                      host_link ? std::optional(*host_link) : std::nullopt, pod));
  SLUICE_PASS(check_vlans(config.vlans, *bridge.link, *host_link));
  SLUICE_PASS(check_spoof_check(config, environment.attachment, named.host.name));
  return check_masquerade(config.masquerade, request, addresses_of(previous));
}

Outcome<> BridgePlugin::status(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_bridge_config(request.config, request.environment.args));
  SLUICE_PASS(masquerade_status(config.masquerade));
  return ipam_status(request);
}

Outcome<> BridgePlugin::gc(const Request &request) const {
  const auto &config = request.config;
  auto collected = collect_garbage(request);
  auto rules = wants_spoof_check(config)
                   ? remove_stale_spoof_checks(config.name, *config.valid_attachments)
                   : Outcome<>{};
  return collected ? rules : collected;
}

} // namespace sluice::cni
