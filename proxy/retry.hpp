#pragma once
// Something that may only be had later: a port or a socket that another process still holds.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace sluice::proxy {

/// Tries every `interval`, on a thread of its own, until `attempt` says that it worked or the Retry
/// is destroyed. The first try is one interval from now.
class Retry {
public:
  explicit Retry(std::function<bool()> attempt,
                 std::chrono::milliseconds interval = std::chrono::seconds(5));
  ~Retry();
  Retry(const Retry &) = delete;
  Retry &operator=(const Retry &) = delete;

private:
  void run();

  std::function<bool()> attempt_;
  std::chrono::milliseconds interval_;
  std::mutex mutex_; ///< guards `stopping_`
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::proxy
