#include "proxy/model/endpoint.hpp"

#include <limits>

namespace sluice::proxy {
namespace {

constexpr std::string_view kServiceNameLabel = "kubernetes.io/service-name";

std::vector<SlicePortView> ports(const kube::EndpointSlice &slice) {
  std::vector<SlicePortView> out;
  for (const auto &port : slice.ports) {
    if (!port.name || port.port.value_or(0) <= 0 || *port.port > 65535)
      continue;
    out.push_back({*port.name, port.protocol.value_or(Protocol::tcp),
                   Port{static_cast<std::uint16_t>(*port.port)}});
  }
  return out;
}

/// Where the endpoint's hints are in `all`, which grows if they are new.
std::uint16_t hints(const kube::SliceEndpoint &endpoint,
                    std::vector<std::shared_ptr<const EndpointHints>> &all) {
  if (endpoint.hintZones.empty() && endpoint.hintNodes.empty())
    return 0;
  EndpointHints found{endpoint.hintZones, endpoint.hintNodes};
  if (all.empty())
    all.emplace_back();
  for (auto at = all.size() - 1; at > 0; --at) // neighbours mostly have the same
    if (*all[at] == found)
      return static_cast<std::uint16_t>(at);
  if (all.size() > std::numeric_limits<std::uint16_t>::max())
    return 0; // the API allows 1000 endpoints in a slice
  all.push_back(std::make_shared<const EndpointHints>(std::move(found)));
  return static_cast<std::uint16_t>(all.size() - 1);
}

} // namespace

bool operator==(const SliceView &a, const SliceView &b) {
  const auto same_hints = [](const auto &x, const auto &y) {
    return x == y || (x && y && *x == *y);
  };
  return a.service == b.service && a.ports == b.ports && a.endpoints == b.endpoints &&
         std::equal(a.hints.begin(), a.hints.end(), b.hints.begin(), b.hints.end(), same_hints);
}

std::optional<SliceView> view_of(const kube::EndpointSlice &slice, Family family,
                                 const std::string &node_name) {
  const auto label = slice.metadata.labels.find(std::string(kServiceNameLabel));
  if (label == slice.metadata.labels.end() || label->second.empty() ||
      slice.addressType != name_of(family))
    return std::nullopt;
  SliceView view{{slice.metadata.namespace_, label->second}, ports(slice), {}, {}};
  view.endpoints.reserve(slice.endpoints.size());
  for (const auto &endpoint : slice.endpoints) {
    if (endpoint.addresses.empty())
      continue;
    const auto ip = IpAddress::parse_sloppy(endpoint.addresses.front());
    if (!ip || ip->family() != family)
      continue;
    view.endpoints.push_back({.ip = *ip,
                              .ready = endpoint.conditions.ready.value_or(true),
                              .serving = endpoint.conditions.serving.value_or(true),
                              .terminating = endpoint.conditions.terminating.value_or(false),
                              .local = !endpoint.nodeName.empty() && endpoint.nodeName == node_name,
                              .hints = hints(endpoint, view.hints)});
  }
  return view;
}

} // namespace sluice::proxy
