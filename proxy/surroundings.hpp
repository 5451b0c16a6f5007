#pragma once
// What `explain` and `status` ask beside the model: the API server, the kernel's routes.

#include "kube/api_client.hpp"
#include "proxy/question.hpp"

namespace sluice::proxy {

/// Asks on the thread that calls. `client` outlives what is returned.
Lookups lookups(kube::ApiClient &client);

/// Whether the API server answers, as the last requests saw it. Thread-safe.
class ApiState {
public:
  void saw(bool answered);
  /// {"connected": true, "lastAnswerSecondsAgo": 3}
  nlohmann::json json() const;

private:
  using Clock = std::chrono::steady_clock;
  std::atomic<Clock::rep> answered_{0}, failed_{0};
};

} // namespace sluice::proxy
