#pragma once
// Tells the loop that somebody else changed our tables.

#include "kernel/nft/monitor.hpp"
#include "net/ip_address.hpp"

#include <functional>
#include <memory>
#include <thread>

namespace sluice::proxy {

/// Listens on a thread of its own, from `start` to destruction. Calls for every family at once,
/// since nobody listened before; best started after a first load (see NftMonitor::listen).
class KernelWatcher {
public:
  using Callback = std::function<void(Family)>;
  struct Watch {
    Family family;
    kernel::nft::NftMonitor monitor;
  };
  static Result<std::unique_ptr<KernelWatcher>> start(std::vector<Watch> watches,
                                                      Callback callback);
  ~KernelWatcher();

private:
  KernelWatcher(std::vector<Watch> watches, UniqueFd stop, Callback callback);
  void run();

  std::vector<Watch> watches_;
  UniqueFd stop_;
  Callback callback_;
  std::thread thread_;
};

} // namespace sluice::proxy
