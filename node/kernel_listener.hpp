#pragma once
// Tells the loop when somebody changed links, addresses, our routes or our nft table.

#include "kernel/nft/monitor.hpp"
#include "kernel/rtnl_monitor.hpp"
#include "net/unique_fd.hpp"

#include <functional>
#include <memory>
#include <thread>

namespace sluice::node {

/// Calls back on a thread of its own, from construction to destruction.
class KernelListener {
public:
  using Callback = std::function<void()>;
  /// In the calling thread's network namespace. `own_ports`: of the nf_tables sockets whose changes
  /// are ours.
  static Result<std::unique_ptr<KernelListener>> start(std::vector<std::uint32_t> own_ports,
                                                       Callback callback);
  ~KernelListener();

private:
  KernelListener(kernel::RtnlMonitor rtnl, kernel::nft::NftMonitor nft, UniqueFd stop,
                 Callback callback);
  void run();

  kernel::RtnlMonitor rtnl_;
  kernel::nft::NftMonitor nft_;
  UniqueFd stop_;
  Callback callback_;
  std::thread thread_;
};

} // namespace sluice::node
