#include "cluster/underlay.hpp"

namespace sluice::cluster {
namespace {

constexpr const char *kBridge = "underlay";
constexpr const char *kNodeLink = "eth0";
constexpr std::uint8_t kRouteProtocolBoot = 3; // rtnetlink(7) RTPROT_BOOT: set up, not by a daemon

} // namespace

kernel::RtnlBatch plan_fabric(const Plan &plan, const std::vector<int> &node_netns_fds) {
  kernel::RtnlBatch batch;
  batch.add(kernel::CreateBridge{.name = kBridge, .alias = "sluice cluster " + plan.name});
  for (const auto &address : plan.fabric_addresses)
    batch.add(kernel::AddAddress{.link = std::string(kBridge), .address = address});
  for (std::size_t i = 0; i < plan.nodes.size(); ++i)
    batch.add(kernel::CreateVeth{.name = plan.nodes[i].name,
                                 .peer_name = kNodeLink,
                                 .peer_netns_fd = node_netns_fds[i],
                                 .master = kernel::LinkRef(std::string(kBridge))});
  return batch;
}

kernel::RtnlBatch plan_node_links(const Plan &plan, const NodePlan &node) {
  kernel::RtnlBatch batch;
  batch.add(kernel::SetLink{.link = std::string(kNodeLink), .up = true});
  for (const auto &address : node.addresses)
    batch.add(kernel::AddAddress{.link = std::string(kNodeLink), .address = address});
  for (const auto &gateway : plan.fabric_addresses) {
    kernel::Route route;
    route.destination = Cidr(gateway.ip.is_v4() ? IpAddress() : *IpAddress::parse("::"), 0);
    route.gateway = gateway.ip;
    route.protocol = kRouteProtocolBoot;
    batch.add(kernel::AddRoute{.route = route, .link_name = std::string(kNodeLink)});
  }
  return batch;
}

} // namespace sluice::cluster
