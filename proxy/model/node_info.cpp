#include "proxy/model/node_info.hpp"

namespace sluice::proxy {
namespace {

std::vector<Cidr> of_family(const std::vector<Cidr> &cidrs, Family family) {
  std::vector<Cidr> out;
  for (const auto &cidr : cidrs)
    if (cidr.family() == family)
      out.push_back(cidr);
  return out;
}

std::vector<Cidr> pod_cidrs(const std::optional<kube::Node> &node, Family family) {
  std::vector<Cidr> out;
  if (node)
    for (const auto &text : node->podCIDRs)
      if (const auto cidr = Cidr::parse(text); cidr && cidr->family() == family)
        out.push_back(*cidr);
  return out;
}

LocalDetector by_cidr(std::vector<Cidr> cidrs) {
  if (cidrs.empty())
    return {};
  return {LocalDetector::Kind::cidr, std::move(cidrs), ""};
}

LocalDetector detector(const NodeOptions &options, const std::optional<kube::Node> &node,
                       Family family) {
  switch (options.detectLocal) {
  case DetectLocalMode::node_cidr:
    return by_cidr(pod_cidrs(node, family));
  case DetectLocalMode::bridge_interface:
    return {LocalDetector::Kind::interface_name, {}, options.interface};
  case DetectLocalMode::interface_name_prefix:
    return {LocalDetector::Kind::interface_prefix, {}, options.interface};
  case DetectLocalMode::cluster_cidr:
    break;
  }
  return by_cidr(of_family(options.clusterCidrs, family));
}

/// A /0, or a list for the other family alone, means every address.
bool any_address(const std::vector<Cidr> &all, const std::vector<Cidr> &ours) {
  return (!all.empty() && ours.empty()) ||
         std::any_of(ours.begin(), ours.end(),
                     [](const Cidr &cidr) { return cidr.prefix_length() == 0; });
}

bool has_loopback(const std::vector<Cidr> &cidrs) {
  return std::any_of(cidrs.begin(), cidrs.end(),
                     [](const Cidr &cidr) { return cidr.address().is_loopback(); });
}

void set_node_ports(NodeInfo &info, const NodeOptions &options, Family family,
                    const std::optional<std::set<IpAddress>> &local) {
  const auto ours = of_family(options.nodePortAddresses, family);
  if (options.nodePortAddresses.empty()) {
    info.anyNodePortAddress = info.nodeAddresses.empty();
    if (!info.nodeAddresses.empty())
      info.nodePortAddresses = {info.nodeAddresses.front()};
    return;
  }
  info.anyNodePortAddress = any_address(options.nodePortAddresses, ours);
  info.localhostNodePorts = options.localhostNodePorts && family == Family::ipv4 &&
                            (info.anyNodePortAddress || has_loopback(ours));
  if (info.anyNodePortAddress)
    return;
  const auto candidates =
      local ? std::vector<IpAddress>(local->begin(), local->end()) : info.nodeAddresses;
  for (const auto &ip : candidates)
    if (std::any_of(ours.begin(), ours.end(), [&](const Cidr &cidr) { return cidr.contains(ip); }))
      info.nodePortAddresses.push_back(ip);
}

} // namespace

std::vector<IpAddress> node_addresses(const kube::Node &node, Family family) {
  std::vector<IpAddress> out;
  for (const auto *type : {"InternalIP", "ExternalIP"})
    for (const auto &address : node.addresses)
      if (address.type == type)
        if (const auto ip = IpAddress::parse_sloppy(address.address); ip && ip->family() == family)
          out.push_back(*ip);
  return out;
}

std::optional<NodeInfo> node_info(const NodeOptions &options, const std::optional<kube::Node> &node,
                                  Family family, const std::optional<std::set<IpAddress>> &local) {
  if (options.detectLocal == DetectLocalMode::node_cidr && (!node || node->podCIDRs.empty()))
    return std::nullopt;
  NodeInfo info;
  info.localDetector = detector(options, node, family);
  info.masqueradeAll = options.masqueradeAll;
  info.masqueradeBit = options.masqueradeBit;
  if (node)
    info.nodeAddresses = node_addresses(*node, family);
  if (options.bindAddress && options.bindAddress->family() == family &&
      !options.bindAddress->is_unspecified())
    info.nodeAddresses = {*options.bindAddress};
  set_node_ports(info, options, family, local);
  info.serviceCidrs = of_family(options.serviceCidrs, family);
  return info;
}

std::set<IpAddress> usable_addresses(const std::vector<IpAddress> &addresses) {
  std::set<IpAddress> out;
  for (const auto &ip : addresses)
    if (!ip.is_loopback() && !ip.is_link_local() && !ip.is_multicast())
      out.insert(ip);
  return out;
}

std::string zone_of(const std::optional<kube::Node> &node) {
  if (!node)
    return "";
  const auto label = node->metadata.labels.find("topology.kubernetes.io/zone");
  return label == node->metadata.labels.end() ? "" : label->second;
}

bool eligible(const std::optional<kube::Node> &node) {
  return node && !node->metadata.deletionTimestamp &&
         std::none_of(node->taints.begin(), node->taints.end(), [](const kube::Taint &taint) {
           return taint.key == "ToBeDeletedByClusterAutoscaler";
         });
}

} // namespace sluice::proxy
