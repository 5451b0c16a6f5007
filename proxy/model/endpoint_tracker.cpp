#include "proxy/model/endpoint_tracker.hpp"

namespace sluice::proxy {
namespace {

/// Whether `a` is the better description of an address that two slices list.
bool better(const EndpointState &a, const EndpointState &b) {
  if (a.terminating != b.terminating)
    return b.terminating;
  return a.ready && !b.ready;
}

kube::ObjectKey key_of(const kube::EndpointSlice &slice) {
  return {slice.metadata.namespace_, slice.metadata.name};
}

} // namespace

bool EndpointTracker::update(const kube::EndpointSlice &slice) {
  return set(key_of(slice), view_of(slice, family_, node_name_));
}

bool EndpointTracker::remove(const kube::ObjectKey &slice) { return set(slice, std::nullopt); }

bool EndpointTracker::set(const kube::ObjectKey &slice, std::optional<SliceView> view) {
  const auto *known = slices_.find(slice);
  const auto from = known ? std::optional(known->service) : std::nullopt;
  const auto to = view ? std::optional(view->service) : std::nullopt;
  const auto count_before = known ? known->endpoints.size() : 0;
  const auto count_after = view ? view->endpoints.size() : 0;
  if (!slices_.set(slice, std::move(view)))
    return false;
  endpoint_count_ += count_after - count_before;
  if (from && from != to) {
    const auto found = slices_of_.find(*from);
    found->second.erase(slice.name);
    if (found->second.empty())
      slices_of_.erase(found);
  }
  if (to)
    slices_of_[*to].insert(slice.name);
  return true;
}

std::set<kube::ObjectKey> EndpointTracker::take_changes() {
  std::set<kube::ObjectKey> services;
  for (const auto &change : slices_.take_changes()) {
    if (change.before)
      services.insert(change.before->service);
    if (change.after)
      services.insert(change.after->service);
  }
  return services;
}

std::vector<Endpoint> EndpointTracker::endpoints_of(const kube::ObjectKey &service,
                                                    const ServicePortView &port) const {
  std::vector<Endpoint> found;
  const auto names = slices_of_.find(service);
  if (names == slices_of_.end())
    return found;
  for (const auto &name : names->second) {
    const auto &slice = *slices_.find({service.namespace_, name});
    for (const auto &number : slice.ports)
      if (number.name == port.name && number.protocol == port.protocol)
        for (const auto &[ip, state] : slice.endpoints)
          found.push_back({{ip, number.port}, state});
  }
  std::stable_sort(found.begin(), found.end(), [](const Endpoint &a, const Endpoint &b) {
    if (a.address != b.address)
      return a.address < b.address;
    return better(a.state, b.state);
  });
  const auto same = [](const Endpoint &a, const Endpoint &b) { return a.address == b.address; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

} // namespace sluice::proxy
