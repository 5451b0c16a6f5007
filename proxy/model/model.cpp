#include "proxy/model/model.hpp"

#include "proxy/model/tracer.hpp"

namespace sluice::proxy {

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
  builder_.set_node(node);
  topology_.zone = zone;
  all_ = true;
  return true;
}

ModelChange Model::sync() {
  auto changed = endpoints_.take_changes();
  for (const auto &change : services_.take_changes())
    changed.insert(change.key);
  if (std::exchange(all_, false))
    for (const auto &[key, view] : services_.all())
      changed.insert(key);
  return {builder_.rebuild(changed, {services_, endpoints_, topology_}), changed.size()};
}

Explanation Model::explain(const Flow &flow) const {
  auto out = trace(builder_.table(), flow);
  if (out.frontend)
    explain_endpoints(flow, builder_.table().frontends.at(*out.frontend), out);
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
