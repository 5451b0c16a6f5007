#include "proxy/model/model.hpp"

#include "proxy/model/tracer.hpp"

namespace sluice::proxy {
namespace {

std::vector<SocketAddress> serving(const std::vector<Endpoint> &endpoints) {
  std::vector<SocketAddress> out;
  for (const auto &endpoint : endpoints)
    if (endpoint.state.serving)
      out.push_back(endpoint.address);
  return out;
}

std::vector<Frontend> frontends_of(const ServiceView &view, const ServicePortView &port) {
  std::vector<Frontend> out{{view.clusterIP, port.port, port.protocol}};
  for (const auto *list : {&view.loadBalancerIPs, &view.externalIPs})
    for (const auto &ip : *list)
      out.push_back({ip, port.port, port.protocol});
  if (port.nodePort.value != 0)
    out.push_back({std::nullopt, port.nodePort, port.protocol});
  return out;
}

/// What plan_frontends looks at.
bool changes_frontends(const NodeInfo &before, const NodeInfo &now) {
  return before.localDetector.kind != now.localDetector.kind ||
         before.masqueradeAll != now.masqueradeAll || before.nodeAddresses != now.nodeAddresses;
}

bool holds(const std::vector<IpAddress> &addresses, const IpAddress &ip) {
  return std::find(addresses.begin(), addresses.end(), ip) != addresses.end();
}

/// "http 80/TCP, 443/TCP"
std::string ports_text(const ServiceView &view) {
  std::string text;
  for (const auto &port : view.ports)
    text += (text.empty() ? "" : ", ") + (port.name.empty() ? "" : port.name + " ") +
            std::to_string(port.port.value) + "/" + std::string(name_of(port.protocol));
  return text;
}

bool translates(const FrontendInfo &info) {
  return info.from_pod.backends.value != 0 || info.from_node.backends.value != 0 ||
         info.from_outside.backends.value != 0;
}

} // namespace

Model::Model(Family family, std::string node_name, FrontendFilter supported)
    : family_(family), topology_{node_name, ""}, endpoints_(family, std::move(node_name)),
      builder_(family, std::move(supported)) {}

bool Model::update(const kube::Service &service) {
  return services_.set({service.metadata.namespace_, service.metadata.name},
                       view_of(service, family_));
}

bool Model::remove_service(const kube::ObjectKey &key) { return services_.set(key, std::nullopt); }

bool Model::update(const kube::EndpointSlice &slice) { return endpoints_.update(slice); }

bool Model::remove_slice(const kube::ObjectKey &key) { return endpoints_.remove(key); }

bool Model::set_node(const NodeInfo &node, const std::string &zone) {
  if (node == builder_.table().node && zone == topology_.zone)
    return false;
  const auto &before = builder_.table().node;
  all_ = all_ || zone != topology_.zone || changes_frontends(before, node);
  builder_.set_node(node);
  topology_.zone = zone;
  return true;
}

ModelChange Model::sync() {
  auto changed = endpoints_.take_changes();
  for (const auto &change : services_.take_changes())
    changed.insert(change.key);
  if (std::exchange(all_, false))
    for (const auto &[key, view] : services_.all())
      changed.insert(key);
  auto delta = builder_.rebuild(changed, {services_, endpoints_, topology_});
  return {std::move(delta), std::move(changed)};
}

std::vector<FlowTarget> Model::flow_targets(const kube::ObjectKey &service) const {
  std::vector<FlowTarget> targets;
  const auto *view = services_.find(service);
  if (!view)
    return targets;
  for (const auto &port : view->ports) {
    if (port.protocol != Protocol::udp)
      continue;
    const auto allowed = serving(endpoints_.endpoints_of(service, port));
    each_frontend(service, *view, port, [&](const Frontend &frontend, const FrontendInfo &info) {
      targets.push_back({frontend, allowed, translates(info)});
    });
  }
  return targets;
}

void Model::each_frontend(
    const kube::ObjectKey &service, const ServiceView &view, const ServicePortView &port,
    const std::function<void(const Frontend &, const FrontendInfo &)> &visit) const {
  const auto &held = builder_.table().frontends;
  const ServicePortName name{service.namespace_, service.name, port.name, port.protocol};
  for (const auto &frontend : frontends_of(view, port))
    if (const auto found = held.find(frontend);
        found != held.end() && found->second.service == name)
      visit(frontend, found->second);
}

std::optional<ServiceHealth> Model::service_health(const kube::ObjectKey &service) const {
  const auto *view = services_.find(service);
  if (!view || view->healthCheckNodePort.value == 0)
    return std::nullopt;
  std::set<IpAddress> ready;
  for (const auto &port : view->ports)
    for (const auto &endpoint : endpoints_.endpoints_of(service, port))
      if (endpoint.state.local && endpoint.state.ready)
        ready.insert(endpoint.address.ip);
  return ServiceHealth{view->healthCheckNodePort, ready.size()};
}

LocalGaps Model::local_gaps(const kube::ObjectKey &service) const {
  LocalGaps gaps;
  const auto *view = services_.find(service);
  if (!view || !(view->internalLocal || view->externalLocal))
    return gaps;
  const auto is_gap = [](const TrafficPath &path) {
    return path.backends.value == 0 && path.whenEmpty == WhenEmpty::drop;
  };
  for (const auto &port : view->ports) {
    bool internal = false, external = false;
    each_frontend(service, *view, port, [&](const Frontend &, const FrontendInfo &info) {
      auto &gap = info.kind == FrontendKind::cluster_ip ? internal : external;
      gap = gap || is_gap(info.from_outside);
    });
    gaps.internal += internal ? 1 : 0;
    gaps.external += external ? 1 : 0;
  }
  return gaps;
}

void Model::each_service(
    const std::function<void(const kube::ObjectKey &, const ServiceView &)> &visit) const {
  for (const auto &[key, view] : services_.all())
    visit(key, view);
}

Explanation Model::explain(const Flow &flow) const {
  auto out = trace(builder_.table(), flow);
  if (out.frontend)
    explain_endpoints(flow, builder_.table().frontends.at(*out.frontend), out);
  return out;
}

Findings Model::find_out(const Flow &flow) const {
  const auto packet = trace(builder_.table(), flow);
  if (!packet.frontend)
    return find_without_frontend(flow);
  const auto &name = builder_.table().frontends.at(*packet.frontend).service;
  const kube::ObjectKey key{name.namespace_, name.name};
  if (const auto *view = services_.find(key))
    for (const auto &port : view->ports)
      if (port.name == name.port && port.protocol == name.protocol)
        return sluice::proxy::find_out(builder_.table(), flow, *view, port,
                                       endpoints_.endpoints_of(key, port), topology_);
  return find_without_frontend(flow);
}

Findings Model::find_without_frontend(const Flow &flow) const {
  Findings out;
  out.packet = trace(builder_.table(), flow);
  out.source = source_class(builder_.table().node, flow);
  for (const auto &[key, view] : services_.all()) {
    const auto name = "\"" + key.str() + "\"";
    if (view.clusterIP == flow.destination)
      out.notes.push_back(flow.destination.str() + " is the clusterIP of Service " + name +
                          ", whose ports are " + ports_text(view));
    if (holds(view.proxiedIPs, flow.destination))
      out.notes.push_back(flow.destination.str() + " is a load balancer address of Service " +
                          name +
                          " with ipMode Proxy: not captured, the packet goes to the load "
                          "balancer itself");
    for (const auto &port : view.ports)
      if (port.nodePort == flow.destinationPort && port.protocol == flow.protocol &&
          flow.destinationPort.value != 0)
        out.notes.push_back(std::to_string(port.nodePort.value) + " is a nodePort of Service " +
                            name + ", but nodePorts do not answer on " + flow.destination.str() +
                            " (nodePortAddresses)");
  }
  return out;
}

void Model::explain_endpoints(const Flow &flow, const FrontendInfo &info, Explanation &out) const {
  const kube::ObjectKey key{info.service.namespace_, info.service.name};
  const auto *view = services_.find(key);
  if (!view)
    return;
  const bool local_list = info.kind == FrontendKind::cluster_ip
                              ? view->internalLocal
                              : view->externalLocal && source_class(builder_.table().node, flow) ==
                                                           SourceClass::outside;
  for (const auto &port : view->ports) {
    if (port.name != info.service.port || port.protocol != info.service.protocol)
      continue;
    const auto endpoints = endpoints_.endpoints_of(key, port);
    const auto selection =
        select(endpoints, {view->uses_cluster_endpoints(port), view->uses_local_endpoints(port)},
               topology_);
    for (const auto &endpoint : endpoints) {
      const auto in = [&](const Backend &backend) { return backend.address == endpoint.address; };
      if (std::any_of(out.backends.begin(), out.backends.end(), in))
        continue;
      const auto why = reason_left_out(endpoint, local_list, selection, topology_);
      if (!why.empty())
        out.reasons.push_back("left out: " + endpoint.address.str() + ": " + why);
    }
  }
}

} // namespace sluice::proxy
