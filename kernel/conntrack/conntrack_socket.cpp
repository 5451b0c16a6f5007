#include "kernel/conntrack/conntrack.hpp"
#include "kernel/conntrack/messages.hpp"
#include "kernel/rtnl/netlink_socket.hpp"

#include <cerrno>

namespace sluice::kernel::conntrack {
namespace {

/// One refusal is 64 bytes or so: they all have room in the socket's buffer.
constexpr std::size_t kRemovalsAtOnce = 256;

} // namespace

/// A socket for each job: a removal in the middle of a dump would mix their answers.
struct ConntrackSocket::Impl {
  rtnl::NetlinkSocket dump, removal;
};

ConntrackSocket::ConntrackSocket(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ConntrackSocket::ConntrackSocket(ConntrackSocket &&) noexcept = default;
ConntrackSocket &ConntrackSocket::operator=(ConntrackSocket &&) noexcept = default;
ConntrackSocket::~ConntrackSocket() = default;

Result<ConntrackSocket> ConntrackSocket::open() {
  SLUICE_ASSIGN(auto dump, rtnl::NetlinkSocket::open(NETLINK_NETFILTER), "open ctnetlink");
  SLUICE_ASSIGN(auto removal, rtnl::NetlinkSocket::open(NETLINK_NETFILTER), "open ctnetlink");
  return ConntrackSocket(
      std::unique_ptr<Impl>(new Impl{.dump = std::move(dump), .removal = std::move(removal)}));
}

Result<> ConntrackSocket::each(const Filter &filter, const Visit &visit) {
  auto request = dump_request(filter);
  return impl_->dump.dump(
      request, "read the connection tracking table", [] {},
      [&](const nlmsghdr &message) {
        const auto flow = flow_in(message);
        // A kernel before 5.8 does not know the filter.
        if (flow && flow->protocol == filter.protocol &&
            flow->original.source.ip.family() == filter.family)
          visit(*flow);
      });
}

Result<std::size_t> ConntrackSocket::remove(std::span<const Flow> flows) {
  std::size_t removed = 0;
  while (!flows.empty()) {
    const auto now = flows.first(std::min(flows.size(), kRemovalsAtOnce));
    flows = flows.subspan(now.size());
    for (const auto &flow : now) {
      auto request = remove_request(flow);
      impl_->removal.queue(request);
    }
    SLUICE_ASSIGN(const auto refusals, impl_->removal.send(), "remove flows");
    for (const auto &refusal : refusals)
      if (refusal.err != ENOENT)
        return fail(rtnl::error_of(refusal, "remove a flow"));
    removed += now.size() - refusals.size();
  }
  return removed;
}

} // namespace sluice::kernel::conntrack
