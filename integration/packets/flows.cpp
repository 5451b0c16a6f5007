#include "integration/packets/flows.hpp"

namespace sluice::integration::packets {

using namespace std::chrono_literals;

Result<std::unique_ptr<Flows>> Flows::create(const Net &net) {
  std::unique_ptr<Flows> flows(new Flows);
  SLUICE_ASSIGN(auto socket,
                net.node().run([] { return kernel::conntrack::ConntrackSocket::open(); }),
                "open conntrack");
  proxy::FlowCleaner::Parts parts;
  parts.conntrack = std::make_unique<kernel::conntrack::ConntrackSocket>(std::move(socket));
  parts.localAddresses = [&net]() -> Result<std::set<IpAddress>> {
    return std::set<IpAddress>(net.node_addresses().begin(), net.node_addresses().end());
  };
  parts.report = [flows = flows.get()](const proxy::CleanupOutcome &outcome) {
    const std::lock_guard lock(flows->mutex_);
    flows->finished_ = true;
    flows->error_ = outcome.error;
    flows->done_.notify_one();
  };
  parts.interval = 0ms;
  flows->cleaner_ = std::make_unique<proxy::FlowCleaner>(std::move(parts));
  return flows;
}

Result<> Flows::after_sync(const proxy::Model &model, const std::set<kube::ObjectKey> &services,
                           bool all) {
  auto &tracker = trackers_[model.family()];
  auto query = all ? tracker.update_all(model) : tracker.update(model, services);
  if (query.empty())
    return {};
  return look_for(std::move(query));
}

Result<> Flows::look_for(proxy::FlowQuery query) {
  std::unique_lock lock(mutex_);
  finished_ = false;
  error_.reset();
  cleaner_->look_for(std::move(query));
  if (!done_.wait_for(lock, 10s, [this] { return finished_; }))
    return fail(Errc::timeout, "stale UDP flows were not removed within 10 s");
  if (error_)
    return fail(*error_);
  return {};
}

} // namespace sluice::integration::packets
