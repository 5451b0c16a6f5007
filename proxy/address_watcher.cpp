#include "proxy/address_watcher.hpp"

#include "kube/daemon/log.hpp"
#include "proxy/model/node_info.hpp"

#include <poll.h>
#include <sys/eventfd.h>

namespace sluice::proxy {
namespace {

/// Whether it can change what a nodePort may have.
bool matters(const kernel::RtnlEvent &event) {
  const auto *address = std::get_if<kernel::AddressEvent>(&event);
  return !address || !usable_addresses({address->address.address.ip}).empty();
}

} // namespace

Result<std::unique_ptr<AddressWatcher>> AddressWatcher::start(Callback callback) {
  SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "watch addresses");
  SLUICE_ASSIGN(auto monitor, kernel::RtnlMonitor::open({kernel::RtnlGroup::addresses}),
                "watch addresses");
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop)
    return fail(Error::from_errno(errno, "eventfd for the watch on addresses"));
  std::unique_ptr<AddressWatcher> watcher(new AddressWatcher(std::move(rtnl), std::move(monitor),
                                                             std::move(stop), std::move(callback)));
  SLUICE_TRY(watcher->read(), "watch addresses");
  watcher->thread_ = std::thread([self = watcher.get()] { self->run(); });
  return watcher;
}

AddressWatcher::AddressWatcher(kernel::RtnlSocket rtnl, kernel::RtnlMonitor monitor, UniqueFd stop,
                               Callback callback)
    : rtnl_(std::move(rtnl)), monitor_(std::move(monitor)), stop_(std::move(stop)),
      callback_(std::move(callback)) {}

AddressWatcher::~AddressWatcher() {
  ::eventfd_write(stop_.get(), 1);
  if (thread_.joinable())
    thread_.join();
}

Result<> AddressWatcher::read() {
  SLUICE_ASSIGN(const auto found, rtnl_.read_addresses(), "read addresses");
  std::vector<IpAddress> all;
  for (const auto &one : found)
    all.push_back(one.address.ip);
  auto usable = usable_addresses(all);
  if (known_ == usable)
    return {};
  known_ = std::move(usable);
  callback_(*known_);
  return {};
}

void AddressWatcher::run() {
  std::array<pollfd, 2> fds{pollfd{stop_.get(), POLLIN, 0}, pollfd{monitor_.fd(), POLLIN, 0}};
  for (;;) {
    if (::poll(fds.data(), fds.size(), -1) < 0)
      continue;
    if (fds[0].revents != 0)
      return;
    const auto events = monitor_.read_events();
    // An error is like a lost event: look for yourself.
    if (events && std::none_of(events->begin(), events->end(), matters))
      continue;
    if (const auto done = read(); !done)
      kube::daemon::log_warning("cannot follow our addresses", {{"error", done.error()}});
  }
}

} // namespace sluice::proxy
