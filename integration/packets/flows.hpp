#pragma once
// The part of the daemon that removes stale UDP flows, at work in n1.

#include "integration/packets/net.hpp"
#include "proxy/flow_cleaner.hpp"

#include <condition_variable>

namespace sluice::integration::packets {

class Flows {
public:
  /// `net` outlives it.
  static Result<std::unique_ptr<Flows>> create(const Net &net);
  /// After a sync that looked at these Services, or at everything; waits until it is done.
  Result<> after_sync(const proxy::Model &model, const std::set<kube::ObjectKey> &services,
                      bool all);

private:
  Flows() = default;
  Result<> look_for(proxy::FlowQuery query);

  std::map<Family, proxy::FlowTracker> trackers_;
  std::mutex mutex_; // guards what follows
  std::condition_variable done_;
  bool finished_ = false;
  std::optional<Error> error_;
  std::unique_ptr<proxy::FlowCleaner> cleaner_; // last: its thread ends first
};

} // namespace sluice::integration::packets
