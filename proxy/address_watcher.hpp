#pragma once
// Tells the loop which addresses this machine has, now and after each change.

#include "kernel/rtnl_monitor.hpp"

#include <functional>
#include <thread>

namespace sluice::proxy {

/// Listens on a thread of its own, from `start` to destruction, in the network namespace of the
/// thread that starts it. What a nodePort cannot have (model/node_info.hpp) is left out, so that
/// the veths of pods, which come with link-local addresses alone, wake nobody.
class AddressWatcher {
public:
  using Callback = std::function<void(std::set<IpAddress>)>;
  /// Calls back once before it returns, and then, on its thread, when the set is another one.
  static Result<std::unique_ptr<AddressWatcher>> start(Callback callback);
  ~AddressWatcher();

private:
  AddressWatcher(kernel::RtnlSocket rtnl, kernel::RtnlMonitor monitor, UniqueFd stop,
                 Callback callback);
  Result<> read();
  void run();

  kernel::RtnlSocket rtnl_;
  kernel::RtnlMonitor monitor_;
  UniqueFd stop_;
  Callback callback_;
  std::optional<std::set<IpAddress>> known_;
  std::thread thread_;
};

} // namespace sluice::proxy
