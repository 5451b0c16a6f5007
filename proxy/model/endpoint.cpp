#include "proxy/model/endpoint.hpp"

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

/// `last` is shared again if it says the same.
std::shared_ptr<const EndpointHints> hints(const kube::SliceEndpoint &endpoint,
                                           const std::shared_ptr<const EndpointHints> &last) {
  if (endpoint.hintZones.empty() && endpoint.hintNodes.empty())
    return nullptr;
  EndpointHints found{endpoint.hintZones, endpoint.hintNodes};
  if (last && *last == found)
    return last;
  return std::make_shared<const EndpointHints>(std::move(found));
}

} // namespace

std::optional<SliceView> view_of(const kube::EndpointSlice &slice, Family family,
                                 const std::string &node_name) {
  const auto label = slice.metadata.labels.find(std::string(kServiceNameLabel));
  if (label == slice.metadata.labels.end() || label->second.empty() ||
      slice.addressType != name_of(family))
    return std::nullopt;
  SliceView view{{slice.metadata.namespace_, label->second}, ports(slice), {}};
  view.endpoints.reserve(slice.endpoints.size());
  std::shared_ptr<const EndpointHints> last;
  for (const auto &endpoint : slice.endpoints) {
    if (endpoint.addresses.empty())
      continue;
    const auto ip = IpAddress::parse_sloppy(endpoint.addresses.front());
    if (!ip || ip->family() != family)
      continue;
    last = hints(endpoint, last);
    view.endpoints.emplace_back(
        *ip, EndpointState{endpoint.conditions.ready.value_or(true),
                           endpoint.conditions.serving.value_or(true),
                           endpoint.conditions.terminating.value_or(false),
                           !endpoint.nodeName.empty() && endpoint.nodeName == node_name, last});
  }
  return view;
}

} // namespace sluice::proxy
