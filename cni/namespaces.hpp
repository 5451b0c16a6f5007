#pragma once
// The two network namespaces of a request.

#include "cni/protocol/environment.hpp"
#include "kernel/netns.hpp"

namespace sluice::cni {

struct Namespaces {
  kernel::NetNs host, pod;

  /// Runs `fn` inside the pod's namespace, on this very thread: a thread of its own would cost more
  /// than all that is done there. The process must have no other thread.
  template <class Fn> auto in_pod(Fn fn) const -> decltype(fn()) {
    if (auto entered = pod.enter(); !entered)
      return fail(CniError(std::move(entered.error())));
    auto result = fn();
    // Going back to where one came from needs no right that entering did not need.
    if (auto left = host.enter(); !left && result)
      return fail(CniError(std::move(left.error())));
    return result;
  }
};

/// Errors: 3 CNI_NETNS does not exist; 4 it is no network namespace; 8 it is the host's own.
Outcome<Namespaces> open_namespaces(const Environment &environment);

} // namespace sluice::cni
