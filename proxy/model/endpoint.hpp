#pragma once
// One endpoint of a Service as the model sees it, and what one EndpointSlice says.

#include "kube/objects.hpp"
#include "proxy/model/service_view.hpp"

#include <memory>

namespace sluice::proxy {

struct EndpointHints {
  std::vector<std::string> zones, nodes;
  friend bool operator==(const EndpointHints &, const EndpointHints &) = default;
};

/// Small on purpose: a cluster has a hundred thousand of them.
struct EndpointState {
  bool ready = true, serving = true, terminating = false;
  bool local = false; ///< its nodeName is ours
  /// Nothing: no hints. Shared, never changed: the endpoints of a slice mostly have equal ones.
  std::shared_ptr<const EndpointHints> hints;

  bool draining() const noexcept { return serving && terminating; }
  friend bool operator==(const EndpointState &a, const EndpointState &b) {
    return a.ready == b.ready && a.serving == b.serving && a.terminating == b.terminating &&
           a.local == b.local &&
           (a.hints == b.hints || (a.hints && b.hints && *a.hints == *b.hints));
  }
};

/// Address and port are unique within one service port.
struct Endpoint {
  SocketAddress address;
  EndpointState state;
  friend bool operator==(const Endpoint &, const Endpoint &) = default;
};

struct SlicePortView {
  std::string name;
  Protocol protocol = Protocol::tcp;
  Port port;
  friend bool operator==(const SlicePortView &, const SlicePortView &) = default;
};

struct SliceView {
  kube::ObjectKey service;
  std::vector<SlicePortView> ports;
  std::vector<std::pair<IpAddress, EndpointState>> endpoints;
  friend bool operator==(const SliceView &, const SliceView &) = default;
};

/// Nothing if the slice is of another family or belongs to no Service.
std::optional<SliceView> view_of(const kube::EndpointSlice &slice, Family family,
                                 const std::string &node_name);

} // namespace sluice::proxy
