#include "cni/direct.hpp"

#include "cni/address_watch.hpp"
#include "cni/detach.hpp"
#include "cni/direct_check.hpp"
#include "cni/ipam_client.hpp"
#include "cni/link_removal.hpp"
#include "cni/namespaces.hpp"
#include "cni/node_setup.hpp"

namespace sluice::cni {

using kernel::RtnlSocket;

namespace {

Outcome<> set_up_pod(const DirectConfig &config, const PodLink &link, const AddResult &addresses) {
  const auto doing = "set up container interface \"" + link.pod_name + "\"";
  SLUICE_ASSIGN(auto rtnl, RtnlSocket::open(), doing);
  SLUICE_ASSIGN(const auto end, rtnl.read_index(link.pod_name), doing);
  SLUICE_TRY(prepare_ipv6(link.pod_name, addresses, config.duplicate_address_detection), doing);
  SLUICE_ASSIGN(auto watch,
                AddressWatch::open(undetected(addresses, config.duplicate_address_detection)),
                doing);
  SLUICE_TRY(apply_all_but_hints(rtnl, plan_direct_pod(config, link, end, addresses)), doing);
  watch.wait();
  return {};
}

/// Both ends of a link that exists.
Outcome<> set_up_ends(kernel::Rtnl &rtnl, const DirectConfig &config, const PodLink &link,
                      const Namespaces &namespaces, const AddResult &addresses) {
  SLUICE_PASS(namespaces.in_pod([&] { return set_up_pod(config, link, addresses); }));
  rtnl.settle(link.host_name);
  // Not earlier: a link watcher that finds the link without carrier empties its neighbour table.
  const auto doing = "set up host link \"" + link.host_name + "\"";
  SLUICE_ASSIGN(const auto host, rtnl.read_index(link.host_name), doing);
  SLUICE_ASSIGN(auto watch, AddressWatch::open(host_addresses(config.layout, addresses)), doing);
  SLUICE_TRY(apply_all_but_hints(rtnl, plan_direct_host(config, link, host, addresses)), doing);
  watch.wait();
  return {};
}

/// On an error nothing of the pod is left.
Outcome<AddResult> attach(const Request &request, const DirectConfig &config,
                          const Namespaces &namespaces, AddResult addresses) {
  std::vector<InterfaceAddress> pods;
  if (config.masquerade != MasqueradeBy::nobody) {
    SLUICE_TAKE(pods, masqueraded_pods(addresses));
  }
  SLUICE_PASS(complete_direct(config.layout, addresses));
  SLUICE_PASS(forward_packets(addresses, "route to the pod"));
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  const auto link = name_links(request, config.mac, addresses);
  SLUICE_PASS(create_host_link(rtnl, plan_direct_link(config, link, namespaces.pod.fd()), link));
  auto done = masquerade(config.masquerade, request, pods);
  if (done)
    done = set_up_ends(rtnl, config, link, namespaces, addresses);
  if (!done) {
    (void)remove_link(link.host_name);
    take_back_masquerade(config.masquerade, request);
    return fail(std::move(done.error()));
  }
  if (names_dns(request.config))
    addresses.dns = request.config.dns;
  return make_direct_result(config, link, request.environment.netns, std::move(addresses));
}

} // namespace

Outcome<AddResult> DirectPlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto config,
              parse_direct_config(request.config, request.environment.args, layout_));
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  SLUICE_TAKE(auto addresses, ipam.add());
  auto result = attach(request, config, namespaces, std::move(addresses));
  if (!result)
    (void)ipam.del();
  return result;
}

Outcome<> DirectPlugin::del(const Request &request) const { return detach(request); }

Outcome<> DirectPlugin::check(const Request &request) const {
  const auto &environment = request.environment;
  SLUICE_TAKE(const auto config, parse_direct_config(request.config, environment.args, layout_));
  if (!request.config.previous)
    return fail(Code::invalid_config, "prevResult is missing: CHECK compares with it");
  const auto &previous = *request.config.previous;
  SLUICE_TAKE(const auto named,
              direct_links_of(previous, environment.attachment.ifname, environment.netns));
  SLUICE_PASS(check_ipam(request));
  SLUICE_TAKE(const auto namespaces, open_namespaces(environment));
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto host, observe_host_end(rtnl, named.host.name));
  SLUICE_TAKE(const auto pod, observe_pod(namespaces, environment.attachment.ifname));
  SLUICE_PASS(check_direct(config, previous, named, host, pod));
  if (config.layout == Layout::routed) {
    SLUICE_TAKE(const auto neighbours, observe_neighbours(namespaces));
    SLUICE_PASS(check_gateway_neighbours(previous, host, pod, neighbours));
  }
  return check_masquerade(config.masquerade, request, checked_pods(request.config, previous));
}

Outcome<> DirectPlugin::status(const Request &request) const {
  SLUICE_TAKE(const auto config,
              parse_direct_config(request.config, request.environment.args, layout_));
  SLUICE_PASS(masquerade_status(config.masquerade));
  return ipam_status(request);
}

Outcome<> DirectPlugin::gc(const Request &request) const { return collect_garbage(request); }

} // namespace sluice::cni
