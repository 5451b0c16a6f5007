#pragma once
// The EndpointSlices of one IP family, merged into the endpoints of each service port.

#include "proxy/model/endpoint.hpp"
#include "proxy/model/tracked.hpp"

#include <set>
#include <unordered_map>

namespace sluice::proxy {

/// Not thread-safe.
class EndpointTracker {
public:
  EndpointTracker(Family family, std::string node_name)
      : family_(family), node_name_(std::move(node_name)) {}

  /// True if it changed something that packets can see.
  bool update(const kube::EndpointSlice &slice);
  bool remove(const kube::ObjectKey &slice);

  /// The Services whose endpoints differ from the last call: of a slice that moved to another
  /// Service, both.
  std::set<kube::ObjectKey> take_changes();
  std::size_t pending() const noexcept { return slices_.pending(); }

  /// Sorted by address, each once: of two with one address the one that does not terminate counts
  /// (then the ready one, then the one of the slice whose name sorts first).
  std::vector<Endpoint> endpoints_of(const kube::ObjectKey &service,
                                     const ServicePortView &port) const;

  std::size_t slice_count() const noexcept { return slices_.all().size(); }
  std::size_t endpoint_count() const noexcept { return endpoint_count_; }

private:
  bool set(const kube::ObjectKey &slice, std::optional<SliceView> view);

  Family family_;
  std::string node_name_;
  Tracked<SliceView> slices_;
  using Slice = std::pair<const kube::ObjectKey, SliceView>;
  void link(const Slice &slice);
  void unlink(const kube::ObjectKey &service, const Slice &slice);
  /// By name.
  std::vector<const Slice *> slices_of(const kube::ObjectKey &service) const;

  /// Hash of a Service's name -> its slices (and those of Services with the same hash).
  std::unordered_multimap<std::size_t, const Slice *> by_service_;
  std::size_t endpoint_count_ = 0;
};

} // namespace sluice::proxy
