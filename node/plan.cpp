#include "node/plan.hpp"

#include <algorithm>

namespace sluice::node {
namespace {

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

bool is_own_address(const IpAddress &ip, const std::vector<kernel::LinkAddress> &own) {
  return std::any_of(own.begin(), own.end(),
                     [&](const kernel::LinkAddress &a) { return a.address.ip == ip; });
}

bool is_on_link(const IpAddress &ip, const std::vector<kernel::LinkAddress> &own) {
  return std::any_of(own.begin(), own.end(), [&](const kernel::LinkAddress &a) {
    return a.address.prefix_length < ip.bits() && a.address.network().contains(ip);
  });
}

/// Builds the routes, one Node after the other.
class RoutePlanner {
public:
  RoutePlanner(const std::vector<kernel::LinkAddress> &own, Desired &desired)
      : own_(own), desired_(desired) {}

  void claim(const std::string &node, const Cidr &cidr) { claimed_.emplace_back(cidr, node); }

  void add(const std::string &name, const NodeNetwork &network) {
    for (const auto &cidr : network.pod_cidrs)
      if (auto gateway = gateway_to(network, cidr); !gateway)
        desired_.problems.push_back(
            {name, "no route to its pods in " + cidr.str() + ": " + gateway.error().what()});
      else if (const auto *other = claimant(cidr))
        desired_.problems.push_back({name, "no route to its pods in " + cidr.str() +
                                               ": the network overlaps that of node " +
                                               quoted(*other)});
      else {
        desired_.routes.emplace(cidr, *gateway);
        claim(name, cidr);
      }
  }

private:
  const std::string *claimant(const Cidr &cidr) const {
    for (const auto &[other, node] : claimed_)
      if (other.overlaps(cidr))
        return &node;
    return nullptr;
  }

  Result<IpAddress> gateway_to(const NodeNetwork &network, const Cidr &pods) const {
    const auto ip = std::find_if(
        network.internal_ips.begin(), network.internal_ips.end(),
        [&](const IpAddress &candidate) { return candidate.family() == pods.family(); });
    if (ip == network.internal_ips.end())
      return fail(Errc::not_found,
                  "it has no InternalIP of family " + std::string(name_of(pods.family())));
    if (is_own_address(*ip, own_))
      return fail(Errc::invalid_input, "its InternalIP " + ip->str() + " is this node's own");
    if (pods.contains(*ip))
      return fail(Errc::invalid_input, "its InternalIP " + ip->str() + " lies inside");
    if (!is_on_link(*ip, own_))
      return fail(Errc::unsupported, "its InternalIP " + ip->str() +
                                         " is on no network of this node (host-gw needs a common "
                                         "link)");
    return *ip;
  }

  const std::vector<kernel::LinkAddress> &own_;
  Desired &desired_;
  std::vector<std::pair<Cidr, std::string>> claimed_;
};

void note_malformed(const Cluster &cluster, Desired &desired) {
  for (const auto &[name, network] : cluster)
    for (const auto &text : network.malformed)
      desired.problems.push_back({name, "not understood: " + text});
}

} // namespace

NodeNetwork network_of(const kube::Node &node) {
  NodeNetwork network;
  for (const auto &text : node.podCIDRs)
    if (const auto cidr = Cidr::parse(text))
      network.pod_cidrs.push_back(*cidr);
    else
      network.malformed.push_back("podCIDR " + quoted(text));
  for (const auto &address : node.addresses) {
    if (address.type != "InternalIP")
      continue;
    if (const auto ip = IpAddress::parse(address.address))
      network.internal_ips.push_back(*ip);
    else
      network.malformed.push_back("InternalIP " + quoted(address.address));
  }
  return network;
}

std::vector<AddressRange> merged(std::vector<Cidr> cidrs) {
  // Networks are nested or disjoint; sorted, a wider one comes before those inside it.
  std::sort(cidrs.begin(), cidrs.end());
  std::vector<AddressRange> ranges;
  for (const auto &cidr : cidrs) {
    auto *before = ranges.empty() ? nullptr : &ranges.back();
    const bool same_family = before && before->first.family() == cidr.family();
    if (same_family && cidr.first() <= before->last)
      before->last = std::max(before->last, cidr.last());
    else if (same_family && cidr.first() == before->last.advanced(1))
      before->last = cidr.last();
    else
      ranges.push_back({cidr.first(), cidr.last()});
  }
  return ranges;
}

Desired plan(const Cluster &cluster, const Settings &settings,
             const std::vector<kernel::LinkAddress> &own) {
  Desired desired;
  note_malformed(cluster, desired);
  RoutePlanner routes(own, desired);
  if (const auto self = cluster.find(settings.node_name); self != cluster.end())
    desired.own_pod_cidrs = self->second.pod_cidrs;
  for (const auto &cidr : desired.own_pod_cidrs)
    routes.claim(settings.node_name, cidr);

  auto inside = settings.cluster_cidrs;
  for (const auto &[name, network] : cluster) {
    inside.insert(inside.end(), network.pod_cidrs.begin(), network.pod_cidrs.end());
    if (name != settings.node_name)
      routes.add(name, network);
  }
  desired.pods = merged(desired.own_pod_cidrs);
  desired.cluster = merged(std::move(inside));
  return desired;
}

} // namespace sluice::node
