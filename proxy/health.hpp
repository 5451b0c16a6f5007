#pragma once
// Is the proxy alive, and should load balancers send traffic to this node?

#include "net/clock.hpp"
#include "net/ip_address.hpp"

#include <map>
#include <mutex>
#include <optional>

namespace sluice::proxy {

struct FamilyHealth {
  std::optional<Clock::time_point> oldest_change; ///< not in the kernel yet
  std::chrono::system_clock::time_point last_sync{};
  bool synced = false; ///< the first full sync is done
};

struct HealthState {
  std::map<Family, FamilyHealth> families;
  bool node_eligible = false;
};

struct HealthAnswer {
  bool ok = false;  ///< 200, else 503
  std::string body; ///< JSON, the fields that kube-proxy answers
};

/// A family is healthy unless a change has waited for longer than `patience`; an API server that is
/// away makes nothing unhealthy. `with_node`: /healthz, which also wants an eligible node, else
/// /livez. Pure.
HealthAnswer health_of(const HealthState &state, bool with_node, Clock::time_point now,
                       std::chrono::system_clock::time_point wall, Clock::duration patience);

/// Whether every family's first full sync is done: what was true once stays true. For /readyz: a
/// node that boots sends no traffic here before. Pure.
HealthAnswer readiness_of(const HealthState &state);

/// Written by the loop, read by the server. Thread-safe: `mutex_` guards `state_`.
class HealthBoard {
public:
  template <class Fn> void update(Fn fn) {
    const std::lock_guard lock(mutex_);
    fn(state_);
  }
  HealthState snapshot() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

private:
  mutable std::mutex mutex_;
  HealthState state_;
};

} // namespace sluice::proxy
