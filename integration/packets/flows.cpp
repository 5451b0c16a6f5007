#include "integration/packets/flows.hpp"

namespace sluice::integration::packets {

using kernel::conntrack::ConntrackSocket;

Result<std::unique_ptr<Flows>> Flows::create(const Net &net) {
  SLUICE_ASSIGN(auto socket, net.node().run([] { return ConntrackSocket::open(); }),
                "open conntrack");
  return std::unique_ptr<Flows>(new Flows(net, std::move(socket)));
}

Result<> Flows::after_sync(const proxy::Model &model, const std::set<kube::ObjectKey> &services,
                           bool all) {
  auto &tracker = trackers_[model.family()];
  const auto query = all ? tracker.update_all(model) : tracker.update(model, services);
  if (query.empty())
    return {};
  const auto &own = net_.node_addresses();
  const std::set<IpAddress> local(own.begin(), own.end());
  std::vector<kernel::conntrack::Flow> stale;
  SLUICE_TRY(socket_.each({model.family(), Protocol::udp},
                          [&](const kernel::conntrack::Flow &flow) {
                            if (proxy::is_stale(flow, query, local))
                              stale.push_back(flow);
                          }),
             "look for stale UDP flows");
  SLUICE_TRY(socket_.remove(stale), "remove stale UDP flows");
  return {};
}

} // namespace sluice::integration::packets
