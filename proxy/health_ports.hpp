#pragma once
// Answers load balancers on the healthCheckNodePorts of Services: small HTTP servers, all on one
// thread, that come and go with the Services.

#include "net/unique_fd.hpp"
#include "proxy/service_health.hpp"

#include <mutex>
#include <thread>

namespace sluice::proxy {

/// Any method and any path get the answer about the Service whose port it is; one request for each
/// connection. An address or port that cannot be had is told once and tried again every `retry`;
/// the others of the Service answer meanwhile. Thread-safe: `mutex_` guards `coming_`.
class HealthPorts {
public:
  struct Options {
    std::function<bool()> healthy; ///< whether the proxy itself is
    /// A Service's port cannot be listened on. Called on the server's thread.
    std::function<void(const kube::ObjectKey &, const Error &)> failed;
    std::chrono::milliseconds retry{5000};
    std::chrono::milliseconds patience{5000}; ///< for a request, and for its answer to be taken
  };
  /// In the calling thread's network namespace.
  static Result<std::unique_ptr<HealthPorts>> start(Options options);
  /// Closes everything.
  ~HealthPorts();

  /// Replaces what was wanted of this family. Returns at once.
  void set(HealthPortsWanted wanted);

private:
  class Loop;
  HealthPorts(UniqueFd wake, Options options);
  std::mutex mutex_;
  std::map<Family, HealthPortsWanted> coming_;
  bool stopping_ = false;
  UniqueFd wake_;
  Options options_;
  std::thread thread_;
};

} // namespace sluice::proxy
