#include "proxy/model/frontends.hpp"

namespace sluice::proxy {
namespace {

/// Silence only if somebody elsewhere could have answered.
void set_when_empty(TrafficPath &path, EndpointList list, const Selection &selection) {
  const auto &backends = list == EndpointList::local ? selection.local : selection.cluster;
  path.whenEmpty = backends.empty() && selection.hasAny ? WhenEmpty::drop : WhenEmpty::reject;
}

void internal_paths(FrontendPlan &plan, const ServiceView &view, const NodeInfo &node) {
  const auto list = view.internalLocal ? EndpointList::local : EndpointList::cluster;
  plan.from_pod = plan.from_node = plan.from_outside = list;
  const bool knows_pods = node.localDetector.kind != LocalDetector::Kind::none;
  plan.info.from_pod.masquerade = node.masqueradeAll;
  plan.info.from_node.masquerade = node.masqueradeAll || knows_pods;
  plan.info.from_outside.masquerade = node.masqueradeAll || knows_pods;
}

void external_paths(FrontendPlan &plan, const ServiceView &view) {
  // With policy Local a pod of this node takes the short circuit to the cluster list, and so does
  // the node itself, which is masqueraded: its address may be one that the endpoint cannot answer.
  plan.from_pod = plan.from_node = EndpointList::cluster;
  plan.from_outside = view.externalLocal ? EndpointList::local : EndpointList::cluster;
  plan.info.from_pod.masquerade = !view.externalLocal;
  plan.info.from_node.masquerade = true;
  plan.info.from_outside.masquerade = !view.externalLocal;
}

/// A host that holds the load balancer's address sends from it, so where the node may come in, its
/// address may as well.
std::vector<Cidr> source_ranges(const ServiceView &view, const NodeInfo &node) {
  auto ranges = view.sourceRanges;
  const auto has_node = [&](const Cidr &range) {
    return std::any_of(node.nodeAddresses.begin(), node.nodeAddresses.end(),
                       [&](const IpAddress &ip) { return range.contains(ip); });
  };
  if (std::any_of(ranges.begin(), ranges.end(), has_node))
    for (const auto &ip : view.loadBalancerIPs)
      ranges.push_back(Cidr::host(ip));
  std::sort(ranges.begin(), ranges.end());
  ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
  return ranges;
}

class Planner {
public:
  Planner(const kube::ObjectKey &service, const ServiceView &view, const ServicePortView &port,
          const Selection &selection, const NodeInfo &node)
      : view_(view), port_(port), selection_(selection),
        node_(node), name_{service.namespace_, service.name, port.name, port.protocol} {}

  void add(FrontendKind kind, std::optional<IpAddress> address, Port number) {
    FrontendPlan plan;
    plan.frontend = {address, number, port_.protocol};
    plan.info.kind = kind;
    plan.info.service = name_;
    plan.info.affinity = view_.affinity;
    if (kind == FrontendKind::cluster_ip)
      internal_paths(plan, view_, node_);
    else
      external_paths(plan, view_);
    if (kind == FrontendKind::load_balancer)
      plan.info.source_ranges = source_ranges(view_, node_);
    set_when_empty(plan.info.from_pod, plan.from_pod, selection_);
    set_when_empty(plan.info.from_node, plan.from_node, selection_);
    set_when_empty(plan.info.from_outside, plan.from_outside, selection_);
    plans_.push_back(std::move(plan));
  }

  std::vector<FrontendPlan> take() { return std::move(plans_); }

private:
  const ServiceView &view_;
  const ServicePortView &port_;
  const Selection &selection_;
  const NodeInfo &node_;
  ServicePortName name_;
  std::vector<FrontendPlan> plans_;
};

} // namespace

std::vector<FrontendPlan> plan_frontends(const kube::ObjectKey &service, const ServiceView &view,
                                         const ServicePortView &port, const Selection &selection,
                                         const NodeInfo &node) {
  Planner planner(service, view, port, selection, node);
  planner.add(FrontendKind::cluster_ip, view.clusterIP, port.port);
  for (const auto &ip : view.externalIPs)
    planner.add(FrontendKind::external_ip, ip, port.port);
  for (const auto &ip : view.loadBalancerIPs)
    planner.add(FrontendKind::load_balancer, ip, port.port);
  if (port.nodePort.value != 0)
    planner.add(FrontendKind::node_port, std::nullopt, port.nodePort);
  return planner.take();
}

} // namespace sluice::proxy
