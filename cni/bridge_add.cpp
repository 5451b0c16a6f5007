#include "cni/bridge_add.hpp"

#include "cni/address_watch.hpp"
#include "cni/link_removal.hpp"
#include "cni/node_setup.hpp"
#include "cni/spoof_check.hpp"

#include <algorithm>
#include <cerrno>

namespace sluice::cni {

using kernel::Rtnl;
using kernel::RtnlSocket;

namespace {

/// Two rounds make a bridge and see that it is there; the third is for one that somebody else made
/// or changed meanwhile.
constexpr int kRounds = 3;

/// A parallel ADD may have done the same: that is no failure. False if it did.
Outcome<bool> apply_shared(Rtnl &rtnl, const BridgeConfig &config, const kernel::RtnlBatch &batch) {
  SLUICE_TAKE(const auto refusals, rtnl.apply_each(batch));
  for (const auto &refusal : refusals) {
    if (refusal.error.sys() == EOPNOTSUPP && config.vlans.wanted())
      return fail(no_vlan_filtering(config.vlans));
    if (refusal.error.code() != Errc::already_exists)
      return fail(CniError(refusal.error));
  }
  return refusals.empty();
}

std::vector<IpAddress> missing_from(const ObservedBridge &observed,
                                    const std::vector<InterfaceAddress> &wanted) {
  std::vector<IpAddress> missing;
  for (const auto &gateway : wanted)
    if (std::none_of(observed.addresses.begin(), observed.addresses.end(),
                     [&](const auto &is) { return is.address == gateway; }))
      missing.push_back(gateway.ip);
  return missing;
}

/// Observe and plan until nothing is left to do. `plan` is from what is there to a batch. The
/// answer has a link. `gateways`: what the plan adds.
template <class Plan>
Outcome<ObservedBridge> ensure_link(Rtnl &rtnl, const BridgeConfig &config, const std::string &name,
                                    const std::vector<InterfaceAddress> &gateways, Plan plan) {
  for (int round = 0; round < kRounds; ++round) {
    SLUICE_TAKE(auto observed, observe_bridge(rtnl, name));
    SLUICE_TAKE(const auto batch, plan(observed));
    if (batch.empty())
      return observed;
    SLUICE_ASSIGN(auto watch, AddressWatch::open(missing_from(observed, gateways)),
                  "prepare \"" + name + "\"");
    SLUICE_ASSIGN(const bool alone, apply_shared(rtnl, config, batch), "prepare \"" + name + "\"");
    if (alone)
      watch.wait();
  }
  return fail(Code::try_again, "\"" + name + "\" does not stay as it was made",
              "another program changes it");
}

Outcome<ObservedBridge> ensure_bridge(Rtnl &rtnl, const BridgeConfig &config,
                                      const std::vector<InterfaceAddress> &gateways,
                                      bool netfilter) {
  return ensure_link(rtnl, config, config.bridge, gateways, [&](const ObservedBridge &observed) {
    const auto mac = observed.link ? observed.link->mac : random_mac();
    return plan_bridge(config, gateways, observed, mac, netfilter);
  });
}

/// What holds the gateway's addresses.
Outcome<ObservedBridge> ensure_gateway(Rtnl &rtnl, const BridgeConfig &config,
                                       const std::vector<InterfaceAddress> &gateways,
                                       const ObservedBridge &bridge) {
  const auto name = gateway_link(config);
  if (name == config.bridge)
    return bridge;
  return ensure_link(rtnl, config, name, gateways, [&](const ObservedBridge &observed) {
    return plan_vlan_gateway(config, gateways, observed, *bridge.link);
  });
}

/// The bridge has a carrier while a port has, so the first pod's brings it.
void settle_links(Rtnl &rtnl, const PodLink &pod, const ObservedBridge &bridge,
                  const ObservedBridge &gateway) {
  rtnl.settle(pod.host_name);
  if (!bridge.settled)
    rtnl.settle(bridge.link->name);
  if (!gateway.settled && gateway.link->index != bridge.link->index)
    rtnl.settle(gateway.link->name);
}

Outcome<> set_up_pod(const BridgeConfig &config, const std::string &ifname, MacAddress gateway_mac,
                     const AddResult &addresses) {
  const auto doing = "set up container interface \"" + ifname + "\"";
  SLUICE_ASSIGN(auto rtnl, RtnlSocket::open(), doing);
  SLUICE_ASSIGN(const auto link, rtnl.read_index(ifname), doing);
  SLUICE_TRY(prepare_ipv6(ifname, addresses, config.duplicate_address_detection), doing);
  SLUICE_ASSIGN(auto watch,
                AddressWatch::open(undetected(addresses, config.duplicate_address_detection)),
                doing);
  SLUICE_TRY(apply_all_but_hints(rtnl, plan_pod_link(config, link, gateway_mac, addresses)), doing);
  watch.wait();
  return {};
}

} // namespace

Outcome<ObservedBridge> observe_bridge(Rtnl &rtnl, const std::string &name) {
  ObservedBridge observed;
  auto found = rtnl.read_link_with_addresses(name);
  if (!found && found.error().code() == Errc::not_found)
    return observed;
  if (!found)
    return fail(CniError(std::move(found.error())));
  observed.link = std::move(found->link);
  observed.addresses = std::move(found->addresses);
  observed.settled = found->settled;
  return observed;
}

Outcome<AddResult> attach_to_bridge(const Request &request, const BridgeConfig &config,
                                    const Namespaces &namespaces, AddResult addresses,
                                    bool netfilter) {
  complete_addresses(config, addresses);
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  const auto gateways = gateway_addresses(config, addresses);
  SLUICE_TAKE(const auto observed, ensure_bridge(rtnl, config, gateways, netfilter));
  SLUICE_TAKE(const auto observed_gateway, ensure_gateway(rtnl, config, gateways, observed));
  const auto &bridge = *observed.link;
  const auto &gateway = *observed_gateway.link;
  if (config.is_gateway)
    SLUICE_PASS(forward_packets(addresses, "isGateway"));
  const auto link = name_links(request, config.mac, addresses);
  // Its last port has left: what the kernel has not noted of that yet must not take away the
  // neighbours that are made now.
  if (!observed.settled)
    rtnl.settle(config.bridge);
  SLUICE_PASS(create_host_link(
      rtnl, plan_host_link(config, link, bridge, gateway.index, namespaces.pod.fd(), addresses),
      link));
  // The pod's end is down still: no frame passes before the rules stand.
  const auto &attachment = request.environment.attachment;
  auto done = masquerade(config.masquerade, request, addresses_of(addresses));
  if (done && config.spoof_check)
    done = ensure_spoof_check(request.config.name, attachment, link.host_name, link.pod_mac);
  if (done)
    done = namespaces.in_pod(
        [&] { return set_up_pod(config, link.pod_name, gateway.mac, addresses); });
  if (!done) {
    (void)remove_link(link.host_name);
    take_back_masquerade(config.masquerade, request);
    if (config.spoof_check)
      (void)remove_spoof_check(attachment);
    return fail(std::move(done.error()));
  }
  if (!config.disable_container_interface)
    settle_links(rtnl, link, observed, observed_gateway);
  return make_result(config, link, bridge, gateway, request.environment.netns, std::move(addresses),
                     request.config.dns);
}

} // namespace sluice::cni
