#pragma once
// What changes in a namespace's links, addresses and routes, as it happens.

#include "kernel/rtnl.hpp"
#include "net/unique_fd.hpp"

#include <set>

namespace sluice::kernel {

enum class RtnlGroup : std::uint8_t { links, addresses, routes };

struct LinkEvent {
  bool removed = false; ///< else new or changed
  Link link;
};
struct AddressEvent {
  bool removed = false;
  LinkAddress address;
};
struct RouteEvent {
  bool removed = false;
  Route route;
};
/// The kernel had more to say than the socket could hold: read everything again.
struct EventsLost {};
using RtnlEvent = std::variant<LinkEvent, AddressEvent, RouteEvent, EventsLost>;

/// Events are hints: what counts is what Rtnl reads afterwards. Routes that the kernel removes
/// together with a link or when it goes down have no event of their own in IPv4: watch links too.
/// Move-only; not thread-safe. Belongs to the namespace it was opened in.
class RtnlMonitor {
public:
  /// In the calling thread's namespace; reports what happens from now on.
  static Result<RtnlMonitor> open(const std::set<RtnlGroup> &groups);
  /// poll(2) says POLLIN (or POLLERR after an overrun) when `read_events` has something.
  int fd() const noexcept { return fd_.get(); }
  /// What has come since the last call; does not wait, so it may be empty.
  Result<std::vector<RtnlEvent>> read_events();

private:
  explicit RtnlMonitor(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

} // namespace sluice::kernel
