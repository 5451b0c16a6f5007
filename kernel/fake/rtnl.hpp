#pragma once
// A namespace in memory that keeps the rules of rtnetlink that callers depend on. The suite in
// kernel/tests/rtnl_rules.cpp runs against this and against the kernel.

#include "kernel/rtnl.hpp"

#include <map>

namespace sluice::kernel::fake {

/// What it knows: names and indexes are unique; an address brings its connected route while the
/// link is up; a gateway must be on a connected network; what belongs to a link goes away with it,
/// and its IPv4 routes go when it goes down. What it does not: link-local addresses, local and
/// broadcast routes, carrier, the far end of a veth that is born in another namespace.
class Rtnl final : public kernel::Rtnl {
public:
  /// Holds a loopback (index 1, up).
  Rtnl();

  Result<std::vector<Refusal>> apply_each(const RtnlBatch &batch) override;
  Result<std::vector<Link>> read_links() override;
  Result<Link> read_link(const LinkRef &link) override;
  Result<std::vector<LinkAddress>> read_addresses() override;
  Result<std::vector<Route>> read_routes(Family family) override;
  Result<std::vector<Neighbour>> read_neighbours(Family family) override;

  /// The `n`-th operation from now (0: the next) is refused with `err`, once.
  void fail_operation(std::size_t n, int err) { failures_[tried_ + n] = err; }
  /// How many operations were tried so far.
  std::size_t tried() const noexcept { return tried_; }

private:
  struct Operation; // one op on this state; returns 0 or an errno

  std::map<IfIndex, Link> links_;
  std::vector<LinkAddress> addresses_;
  std::vector<Route> routes_;
  std::vector<Neighbour> neighbours_;
  std::uint32_t next_index_ = 2;
  std::map<std::size_t, int> failures_;
  std::size_t tried_ = 0;
};

} // namespace sluice::kernel::fake
