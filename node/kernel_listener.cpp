#include "node/kernel_listener.hpp"

#include "kube/daemon/log.hpp"
#include "node/masquerade.hpp"
#include "node/routes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>

namespace sluice::node {
namespace {

/// Routes of others come and go with every pod; of routes only ours matter.
bool concerns_us(const kernel::RtnlEvent &event) {
  const auto *route = std::get_if<kernel::RouteEvent>(&event);
  return !route || is_ours(route->route);
}

} // namespace

Result<std::unique_ptr<KernelListener>> KernelListener::start(std::vector<std::uint32_t> own_ports,
                                                              Callback callback) {
  using kernel::RtnlGroup;
  SLUICE_ASSIGN(
      auto rtnl,
      kernel::RtnlMonitor::open({RtnlGroup::links, RtnlGroup::addresses, RtnlGroup::routes}),
      "watch the kernel");
  SLUICE_ASSIGN(auto nft, kernel::nft::NftMonitor::open(masquerade_table(), std::move(own_ports)),
                "watch the kernel");
  SLUICE_TRY(nft.listen(), "watch the kernel");
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop)
    return fail(Error::from_errno(errno, "watch the kernel: eventfd"));
  return std::unique_ptr<KernelListener>(
      new KernelListener(std::move(rtnl), std::move(nft), std::move(stop), std::move(callback)));
}

KernelListener::KernelListener(kernel::RtnlMonitor rtnl, kernel::nft::NftMonitor nft, UniqueFd stop,
                               Callback callback)
    : rtnl_(std::move(rtnl)), nft_(std::move(nft)), stop_(std::move(stop)),
      callback_(std::move(callback)), thread_([this] { run(); }) {}

KernelListener::~KernelListener() {
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void KernelListener::run() {
  std::array<pollfd, 3> watched{pollfd{rtnl_.fd(), POLLIN, 0}, pollfd{nft_.fd(), POLLIN, 0},
                                pollfd{stop_.get(), POLLIN, 0}};
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0)
      continue;
    if (watched[2].revents != 0)
      return;
    const auto events = rtnl_.read_events();
    const auto table = nft_.take_events();
    if (!events || !table) {
      kube::daemon::log_error(
          "cannot listen to the kernel any more; repairs wait for the next resync",
          {{"error", events ? table.error() : events.error()}});
      return;
    }
    if (table->any() || std::any_of(events->begin(), events->end(), concerns_us))
      callback_();
  }
}

} // namespace sluice::node
