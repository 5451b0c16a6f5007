#include "proxy/kernel_watcher.hpp"

#include "kube/daemon/log.hpp"

#include <poll.h>
#include <sys/eventfd.h>

namespace sluice::proxy {

Result<std::unique_ptr<KernelWatcher>> KernelWatcher::start(std::vector<Watch> watches,
                                                            Callback callback) {
  for (auto &watch : watches)
    SLUICE_TRY(watch.monitor.listen(), "start");
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop)
    return fail(Error::from_errno(errno, "eventfd for the watch on nf_tables"));
  return std::unique_ptr<KernelWatcher>(
      new KernelWatcher(std::move(watches), std::move(stop), std::move(callback)));
}

KernelWatcher::KernelWatcher(std::vector<Watch> watches, UniqueFd stop, Callback callback)
    : watches_(std::move(watches)), stop_(std::move(stop)), callback_(std::move(callback)),
      thread_([this] { run(); }) {}

KernelWatcher::~KernelWatcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void KernelWatcher::run() {
  std::vector<pollfd> fds{{stop_.get(), POLLIN, 0}};
  for (const auto &watch : watches_) {
    fds.push_back({watch.monitor.fd(), POLLIN, 0});
    callback_(watch.family); // what happened until now was not heard
  }
  for (;;) {
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
      return kube::daemon::log_error("the watch on nf_tables ended; changes by others are found by "
                                     "the periodic read-back alone",
                                     {{"errno", errno}});
    if (fds.front().revents != 0)
      return;
    for (std::size_t i = 0; i < watches_.size(); ++i) {
      if (fds[i + 1].revents == 0)
        continue;
      const auto events = watches_[i].monitor.take_events();
      // An error is like a lost event: look for yourself.
      if (!events || events->any())
        callback_(watches_[i].family);
    }
  }
}

} // namespace sluice::proxy
