#pragma once
// Removes what other modes, of this program's earlier life, left in the kernel: each once the mode
// that runs now has its rules in, and not before its open connections have ended.

#include "net/clock.hpp"
#include "proxy/dataplane.hpp"

#include <condition_variable>
#include <thread>

namespace sluice::proxy {

/// Works on a thread of its own, from `start` to destruction. Thread-safe.
class Retirement {
public:
  struct Retiree {
    std::string name; ///< "iptables-legacy, IPv4"
    std::unique_ptr<Dataplane> dataplane;
  };
  struct Options {
    /// How long open connections may keep what they need.
    Clock::duration drainTimeout = std::chrono::minutes(10);
    Clock::duration interval = std::chrono::seconds(1); ///< between two looks
    /// Told of each that is gone, and of each error (it is tried again until the timeout).
    std::function<void(const std::string &name)> gone;
    std::function<void(const std::string &name, const Error &error)> failed;
  };

  Retirement(std::vector<Retiree> retirees, Options options);
  ~Retirement();
  Retirement(const Retirement &) = delete;
  Retirement &operator=(const Retirement &) = delete;

  /// Those that may still have something in the kernel.
  std::vector<std::string> present() const;
  /// Those of them that were looked at and do.
  std::vector<std::string> draining() const;

private:
  void run();
  /// True: done with it.
  bool look_at(Retiree &retiree, bool out_of_time);

  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  bool looked_ = false;            ///< at each of `names_`, guarded
  std::vector<Retiree> retirees_;  ///< of the thread
  std::vector<std::string> names_; ///< of them, guarded
  std::thread thread_;
};

} // namespace sluice::proxy
