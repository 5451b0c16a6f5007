#include "cni/bandwidth.hpp"

#include "cni/bandwidth_config.hpp"
#include "cni/link_removal.hpp"
#include "cni/names.hpp"
#include "cni/namespaces.hpp"
#include "cni/traffic_control.hpp"

namespace sluice::cni {

using kernel::RtnlSocket;

namespace {

/// The number of the host's end.
Outcome<kernel::IfIndex> peer_of(const Request &request) {
  const auto &ifname = request.environment.attachment.ifname;
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  SLUICE_TAKE(const auto link, namespaces.in_pod([&]() -> Outcome<kernel::Link> {
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    SLUICE_TAKE(auto found, rtnl.read_link(ifname));
    return found;
  }));
  if (link.kind != "veth" || !link.peer)
    return fail(Code::invalid_config, "interface \"" + ifname + "\" of the container is no veth",
                "bandwidth slows down traffic at the other end of a veth");
  return *link.peer;
}

Outcome<kernel::Link> read_host_end(const Request &request, const AddResult &previous) {
  SLUICE_TAKE(const auto peer, peer_of(request));
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(auto link, rtnl.read_link(peer));
  SLUICE_PASS(host_end(previous, link));
  return link;
}

Outcome<kernel::Link> read_device(const std::string &name) {
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(auto link, rtnl.read_link(name));
  return link;
}

/// What a limit is made of.
using Choice = std::optional<SubnetChoice>;

Result<> slow_down(TrafficControl &control, kernel::IfIndex link, const TokenBucket &bucket,
                   const Choice &choice) {
  return choice ? control.add_classes(link, bucket, *choice)
                : control.add_token_bucket(link, bucket);
}

/// Everything but the device's birth.
Result<> lead_through(TrafficControl &control, const TokenBucket &bucket, const Choice &choice,
                      kernel::IfIndex host, kernel::IfIndex device) {
  SLUICE_TRY(slow_down(control, device, bucket, choice), "shape what the container sends");
  SLUICE_TRY(control.add_ingress(host), "shape what the container sends");
  auto redirected = control.add_redirect(host, device);
  if (!redirected)
    (void)control.remove_ingress(host);
  return redirected;
}

Outcome<Interface> shape_egress(TrafficControl &control, const Request &request,
                                const TokenBucket &bucket, const Choice &choice,
                                const kernel::Link &host) {
  const auto &attachment = request.environment.attachment;
  const auto name = shaping_device(request.config.name, attachment.container_id);
  auto made =
      control.create_ifb(name, host.mtu_bytes, host_link_alias(request.config.name, attachment));
  if (!made && made.error().code() == Errc::already_exists)
    return fail(Code::already_exists, made.error().what());
  if (!made)
    return fail(CniError(std::move(made.error())));
  const auto device = read_device(name);
  if (device) {
    auto done = lead_through(control, bucket, choice, host.index, device->index);
    if (done)
      return Interface{.name = name, .mac = device->mac.str(), .mtu_bytes = device->mtu_bytes};
    (void)remove_link(name);
    return fail(CniError(std::move(done.error())));
  }
  (void)remove_link(name);
  return fail(CniError(device.error()));
}

Outcome<> shape(const Request &request, const BandwidthConfig &config, const kernel::Link &host,
                AddResult &result) {
  SLUICE_TAKE(auto control, TrafficControl::open());
  if (config.ingress)
    SLUICE_TRY(slow_down(control, host.index, *config.ingress, config.choice),
               "shape what the container receives");
  if (!config.egress)
    return {};
  auto device = shape_egress(control, request, *config.egress, config.choice, host);
  if (!device) {
    if (config.ingress)
      (void)control.remove_root(host.index);
    return fail(std::move(device.error()));
  }
  result.interfaces.push_back(std::move(*device));
  return {};
}

/// Classes have no limit of their own, and filters are not compared.
Outcome<> check_bucket(TrafficControl &control, const kernel::Link &link, TokenBucket wanted,
                       const Choice &choice) {
  SLUICE_TAKE(const auto bucket, choice ? control.read_shaped_class(link.index)
                                        : control.read_token_bucket(link.index));
  if (choice)
    wanted.limit_bytes = 0;
  if (!bucket)
    return fail(Code::check_failed, "interface \"" + link.name + "\" has no token bucket");
  if (!same_in_kernel(wanted, *bucket))
    return fail(Code::check_failed,
                "the token bucket of interface \"" + link.name + "\" is not as configured",
                "its rate is " + std::to_string(bucket->rate_bytes) +
                    " bytes a second, wanted is " + std::to_string(wanted.rate_bytes));
  return {};
}

Outcome<> check_egress(TrafficControl &control, const Request &request, const kernel::Link &host,
                       const TokenBucket &wanted, const Choice &choice) {
  const auto name =
      shaping_device(request.config.name, request.environment.attachment.container_id);
  const auto device = read_device(name);
  if (!device)
    return fail(Code::check_failed, device.error().message());
  SLUICE_TAKE(const bool ingress, control.has_ingress(host.index));
  if (!ingress)
    return fail(Code::check_failed,
                "interface \"" + host.name + "\" does not redirect to \"" + name + "\"");
  return check_bucket(control, *device, wanted, choice);
}

Outcome<AddResult> previous_of(const Request &request) {
  if (!request.config.previous)
    return fail(Code::invalid_config,
                "prevResult is missing: bandwidth comes after the plugin that makes the interface");
  return *request.config.previous;
}

} // namespace

Outcome<AddResult> BandwidthPlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_bandwidth_config(request.config));
  SLUICE_TAKE(auto result, previous_of(request));
  if (config.empty())
    return result;
  SLUICE_TAKE(const auto host, read_host_end(request, result));
  SLUICE_PASS(shape(request, config, host, result));
  return result;
}

Outcome<> BandwidthPlugin::del(const Request &request) const {
  SLUICE_PASS(remove_link(
      shaping_device(request.config.name, request.environment.attachment.container_id)));
  return {};
}

Outcome<> BandwidthPlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_bandwidth_config(request.config));
  SLUICE_TAKE(const auto previous, previous_of(request));
  if (config.empty())
    return {};
  SLUICE_TAKE(const auto host, read_host_end(request, previous));
  SLUICE_TAKE(auto control, TrafficControl::open());
  if (config.ingress)
    SLUICE_PASS(check_bucket(control, host, *config.ingress, config.choice));
  return config.egress ? check_egress(control, request, host, *config.egress, config.choice)
                       : Outcome<>{};
}

Outcome<> BandwidthPlugin::status(const Request &request) const {
  SLUICE_PASS(parse_bandwidth_config(request.config));
  return {};
}

Outcome<> BandwidthPlugin::gc(const Request &request) const {
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto links, rtnl.read_links());
  Outcome<> first_failure;
  for (const auto &link : links) {
    const auto owner = parse_host_link_alias(link.alias);
    if (link.kind != "ifb" || !owner || owner->network != request.config.name ||
        request.config.valid_attachments->count(owner->attachment) > 0)
      continue;
    auto removed = remove_link(link.name);
    if (!removed && first_failure)
      first_failure = fail(std::move(removed.error()));
  }
  return first_failure;
}

} // namespace sluice::cni
