#include "proxy/model/endpoint_tracker.hpp"

#include "net/hash.hpp"

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

std::size_t hash_of(const kube::ObjectKey &key) {
  return fnv1a_64(key.name, fnv1a_64(key.namespace_));
}

} // namespace

bool EndpointTracker::update(const kube::EndpointSlice &slice) {
  return set(key_of(slice), view_of(slice, family_, node_name_));
}

bool EndpointTracker::remove(const kube::ObjectKey &slice) { return set(slice, std::nullopt); }

bool EndpointTracker::set(const kube::ObjectKey &slice, std::optional<SliceView> view) {
  const auto *known = slices_.find_entry(slice);
  const auto from = known ? std::optional(known->second.service) : std::nullopt;
  const auto to = view ? std::optional(view->service) : std::nullopt;
  const auto count_before = known ? known->second.endpoints.size() : 0;
  const auto count_after = view ? view->endpoints.size() : 0;
  if (from && from != to)
    unlink(*from, *known);
  if (!slices_.set(slice, std::move(view)))
    return false;
  endpoint_count_ += count_after - count_before;
  if (to && from != to)
    link(*slices_.find_entry(slice));
  return true;
}

void EndpointTracker::link(const Slice &slice) {
  by_service_.emplace(hash_of(slice.second.service), &slice);
}

void EndpointTracker::unlink(const kube::ObjectKey &service, const Slice &slice) {
  const auto [first, last] = by_service_.equal_range(hash_of(service));
  for (auto at = first; at != last; ++at)
    if (at->second == &slice) {
      by_service_.erase(at);
      return;
    }
}

std::vector<const EndpointTracker::Slice *>
EndpointTracker::slices_of(const kube::ObjectKey &service) const {
  std::vector<const Slice *> slices;
  const auto [first, last] = by_service_.equal_range(hash_of(service));
  for (auto at = first; at != last; ++at)
    if (at->second->second.service == service)
      slices.push_back(at->second);
  std::sort(slices.begin(), slices.end(),
            [](const Slice *a, const Slice *b) { return a->first < b->first; });
  return slices;
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
  for (const auto *entry : slices_of(service)) {
    const auto &slice = entry->second;
    for (const auto &number : slice.ports)
      if (number.name == port.name && number.protocol == port.protocol)
        for (const auto &endpoint : slice.endpoints)
          found.push_back({{endpoint.ip, number.port}, slice.state_of(endpoint)});
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
