#include "kernel/ipvs/fake.hpp"

#include <cerrno>

namespace sluice::kernel::ipvs::fake {
namespace {

/// One operation on the state; 0 or an errno.
struct Operation {
  State &state;

  State::ServiceState *find(const ServiceId &id) const {
    const auto found = state.services.find(id);
    return found == state.services.end() ? nullptr : &found->second;
  }

  int operator()(const AddService &op) const {
    if (find(op.service.id))
      return EEXIST;
    if (state.schedulers.count(op.service.scheduler) == 0)
      return ENOENT;
    state.services[op.service.id].service = op.service;
    return 0;
  }
  int operator()(const EditService &op) const {
    auto *service = find(op.service.id);
    if (!service)
      return ESRCH;
    if (state.schedulers.count(op.service.scheduler) == 0)
      return ENOENT;
    service->service = op.service;
    return 0;
  }
  int operator()(const RemoveService &op) const {
    return state.services.erase(op.service) == 0 ? ESRCH : 0;
  }
  int operator()(const AddDestination &op) const {
    auto *service = find(op.service);
    if (!service)
      return ESRCH;
    DestinationInfo info;
    info.destination = op.destination;
    return service->destinations.emplace(op.destination.address, info).second ? 0 : EEXIST;
  }
  int operator()(const EditDestination &op) const {
    auto *service = find(op.service);
    if (!service)
      return ESRCH;
    const auto found = service->destinations.find(op.destination.address);
    if (found == service->destinations.end())
      return ENOENT;
    found->second.destination = op.destination;
    return 0;
  }
  int operator()(const RemoveDestination &op) const {
    auto *service = find(op.service);
    if (!service)
      return ESRCH;
    return service->destinations.erase(op.destination) == 0 ? ENOENT : 0;
  }
};

} // namespace

Result<std::vector<Refusal>> Ipvs::apply_each(const std::vector<Op> &ops) {
  std::vector<Refusal> refused;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (operations_left_ && (*operations_left_)-- == 0) {
      operations_left_ = 0;
      return fail(Errc::io, "change IPVS: the conversation broke");
    }
    ++state_->operations;
    if (const int err = std::visit(Operation{*state_}, ops[i]); err != 0)
      refused.push_back({i, Error::from_errno(err, to_string(ops[i]))});
  }
  return refused;
}

Result<std::vector<ServiceInfo>> Ipvs::read_services() {
  std::vector<ServiceInfo> services;
  for (const auto &[id, state] : state_->services)
    services.push_back({state.service, {}});
  return services;
}

Result<std::vector<DestinationInfo>> Ipvs::read_destinations(const ServiceId &service) {
  const auto found = state_->services.find(service);
  if (found == state_->services.end())
    return fail(Error::from_errno(ESRCH, "read the destinations of " + to_string(service)));
  std::vector<DestinationInfo> destinations;
  for (const auto &[address, info] : found->second.destinations)
    destinations.push_back(info);
  return destinations;
}

Result<> Ipvs::set_timeouts(const Timeouts &timeouts) {
  const auto set = [](std::chrono::seconds &present, std::chrono::seconds wanted) {
    if (wanted.count() != 0)
      present = wanted;
  };
  set(state_->timeouts.tcp, timeouts.tcp);
  set(state_->timeouts.tcp_fin, timeouts.tcp_fin);
  set(state_->timeouts.udp, timeouts.udp);
  return {};
}

} // namespace sluice::kernel::ipvs::fake
