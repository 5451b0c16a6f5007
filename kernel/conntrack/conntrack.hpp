#pragma once
// The kernel's connection tracking table: what flows are there, and removing some of them.
// Source: linux/netfilter/nfnetlink_conntrack.h; conntrack(8).

#include "net/port.hpp"
#include "net/result.hpp"

#include <functional>
#include <memory>
#include <span>

namespace sluice::kernel::conntrack {

/// One direction of a flow, of a protocol with ports.
struct Tuple {
  SocketAddress source, destination;
  friend auto operator<=>(const Tuple &, const Tuple &) = default;
};

/// Without NAT `reply` is `original` turned round. A destination that was translated shows in
/// `reply.source`.
struct Flow {
  Protocol protocol = Protocol::udp;
  Tuple original, reply;
  std::uint32_t mark = 0; ///< ct mark
  std::uint32_t id = 0;   ///< tells two flows with one tuple apart; 0: unknown
  std::uint16_t zone = 0; ///< of both directions
  bool translated() const noexcept { return reply.source != original.destination; }
  friend auto operator<=>(const Flow &, const Flow &) = default;
};

/// What the kernel is asked for. It leaves out the rest itself from Linux 5.8 on.
struct Filter {
  Family family = Family::ipv4;
  Protocol protocol = Protocol::udp;
};

/// Of one network namespace. Not thread-safe. Needs CAP_NET_ADMIN.
class Conntrack {
public:
  using Visit = std::function<void(const Flow &)>;
  virtual ~Conntrack() = default;
  /// Calls `visit` for each flow as it is read; nothing is kept. A flow that comes or goes
  /// meanwhile may be missed; one that stays is not. `visit` may call `remove`.
  virtual Result<> each(const Filter &filter, const Visit &visit) = 0;
  /// Removes these, in one system call for every few hundred. A flow that is gone already, or that
  /// a newer one with the same tuple replaced, is no error. Says how many it removed.
  virtual Result<std::size_t> remove(std::span<const Flow> flows) = 0;
};

/// ctnetlink, in the network namespace of the thread that opens it.
class ConntrackSocket final : public Conntrack {
public:
  static Result<ConntrackSocket> open();
  ConntrackSocket(ConntrackSocket &&) noexcept;
  ConntrackSocket &operator=(ConntrackSocket &&) noexcept;
  ~ConntrackSocket() override;

  Result<> each(const Filter &filter, const Visit &visit) override;
  Result<std::size_t> remove(std::span<const Flow> flows) override;

private:
  struct Impl;
  explicit ConntrackSocket(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kernel::conntrack
