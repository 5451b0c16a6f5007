#pragma once
// The HTTP servers for people and machines that watch the proxy: health and metrics.

#include "kube/daemon/metrics.hpp"
#include "net/clock.hpp"
#include "proxy/health.hpp"
#include "proxy/options.hpp"

#include <functional>
#include <memory>

namespace sluice::proxy {

/// Listens from `start` to destruction. An address that is taken (another proxy still runs) is
/// tried again every 5 s, with a log line once, unless bindAddressHardFail.
///   health:  GET /healthz, /livez, /readyz
///   metrics: GET /metrics, /healthz, /proxyMode
class OpsServers {
public:
  enum class Kind : std::uint8_t { health, metrics };
  /// An address cannot be had. Called for each before `start` returns.
  using CannotListen = std::function<void(Kind, const Error &)>;
  /// `board`, `metrics` and `clock` outlive it.
  static Result<std::unique_ptr<OpsServers>> start(const ProxyOptions &options,
                                                   const HealthBoard &board,
                                                   kube::daemon::Metrics &metrics,
                                                   const Clock &clock, CannotListen cannot_listen);
  ~OpsServers();

private:
  struct Impl;
  explicit OpsServers(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::proxy
