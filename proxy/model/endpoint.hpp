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

struct EndpointState {
  bool ready = true, serving = true, terminating = false;
  bool local = false; ///< its nodeName is ours
  /// Nothing: no hints. The slice's, shared and never changed.
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

/// What a slice says of one of its endpoints. 20 bytes: a cluster has a hundred thousand of them.
struct SliceEndpointView {
  IpAddress ip;
  bool ready : 1, serving : 1, terminating : 1;
  bool local : 1;          ///< its nodeName is ours
  std::uint16_t hints = 0; ///< index in the slice's `hints`; 0: none
  friend bool operator==(const SliceEndpointView &, const SliceEndpointView &) = default;
};

struct SliceView {
  kube::ObjectKey service;
  std::vector<SlicePortView> ports;
  std::vector<SliceEndpointView> endpoints;
  /// Different ones; empty if no endpoint has any, else the first is nothing.
  std::vector<std::shared_ptr<const EndpointHints>> hints;
  EndpointState state_of(const SliceEndpointView &endpoint) const {
    return {endpoint.ready, endpoint.serving, endpoint.terminating, endpoint.local,
            endpoint.hints == 0 ? nullptr : hints[endpoint.hints]};
  }
  friend bool operator==(const SliceView &a, const SliceView &b);
};

/// Nothing if the slice is of another family or belongs to no Service.
std::optional<SliceView> view_of(const kube::EndpointSlice &slice, Family family,
                                 const std::string &node_name);

} // namespace sluice::proxy
