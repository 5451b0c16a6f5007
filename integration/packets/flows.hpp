#pragma once
// What the daemon's FlowCleaner does in n1, at once and not by and by.

#include "integration/packets/net.hpp"
#include "proxy/conntrack_cleanup.hpp"

namespace sluice::integration::packets {

class Flows {
public:
  /// `net` outlives it.
  static Result<std::unique_ptr<Flows>> create(const Net &net);
  /// After a sync that looked at these Services, or at everything: removes stale UDP flows.
  Result<> after_sync(const proxy::Model &model, const std::set<kube::ObjectKey> &services,
                      bool all);

private:
  Flows(const Net &net, kernel::conntrack::ConntrackSocket socket)
      : net_(net), socket_(std::move(socket)) {}
  const Net &net_;
  kernel::conntrack::ConntrackSocket socket_;
  std::map<Family, proxy::FlowTracker> trackers_;
};

} // namespace sluice::integration::packets
