#pragma once
// The virtual services: which there are, which there should be, and the operations between. An
// endpoint that leaves gets weight 0 and goes with its last connection; UDP knows no connections,
// there it goes at once. A service that has another scheduler than it should is replaced and not
// changed: the kernel would refuse connections meanwhile. Pure but for `reap`, which asks how many
// connections are left.

#include "proxy/dataplane.hpp"
#include "proxy/ipvs/layout.hpp"

#include <set>

namespace sluice::proxy::ipvs {

/// Scheduler ovf fills one endpoint with so many connections before it takes the next. With 1 it
/// would refuse the third connection to the last one.
inline constexpr std::uint32_t kOverflowWeight = 65'536;

/// Scheduler dh gives a service address an endpoint, whatever its weight, and refuses the
/// connection if that is 0.
inline bool chooses_weight_zero(const Options &options) { return options.scheduler == "dh"; }

class Servers {
public:
  Servers(Family family, const Options &options);

  /// What the kernel holds, before the first plan.
  struct Found {
    Protocol protocol = Protocol::tcp;
    kernel::ipvs::Service service;
    std::map<SocketAddress, std::uint32_t> weights;
  };
  void found(Mark mark, Found found);

  void want(Mark mark, Protocol protocol, std::set<SocketAddress> endpoints);
  void retire(Mark mark);
  /// `by` has the frontends of the retired `mark`, whose UDP flows go on too, to endpoints that
  /// `by` wants.
  void replaced(Mark mark, Mark by);

  struct Plan {
    std::map<Mark, Protocol> created;     ///< to be recorded first
    std::vector<kernel::ipvs::Op> before; ///< what packets may find from now on
    std::vector<kernel::ipvs::Op> after;  ///< what they find no more
    std::vector<Mark> removed;            ///< the record goes last
    bool empty() const noexcept { return before.empty() && after.empty() && removed.empty(); }
  };
  /// Everything that differs, as if it were done. `now` begins a drain.
  Plan plan(Clock::time_point now);

  /// Endpoints without connections, or over their limit, go; services without endpoints too.
  Result<Plan> reap(kernel::ipvs::Ipvs &ipvs, Clock::time_point now);
  bool is_draining() const noexcept { return !draining_.empty(); }
  /// Each once, in the order of addresses.
  std::vector<DrainingEndpoint> draining() const;

  bool is_known(Mark mark) const { return actual_.count(mark) != 0 || wanted_.count(mark) != 0; }
  const std::map<Mark, Found> &actual() const noexcept { return actual_; }

  kernel::ipvs::ServiceId id_of(Mark mark) const { return kernel::ipvs::MarkId{family_, mark}; }
  kernel::ipvs::Service service_of(Mark mark) const;
  /// The kernel has it, but not as it should be used for these endpoints.
  bool is_unfit(Mark mark, const std::set<SocketAddress> &endpoints) const;

private:
  struct Wanted {
    Protocol protocol;
    std::set<SocketAddress> endpoints;
  };
  using DrainKey = std::pair<Mark, SocketAddress>;
  void plan_service(Mark mark, Clock::time_point now, Plan &plan);
  void plan_gone(Mark mark, Found &found, const std::set<SocketAddress> &stay,
                 Clock::time_point now, Plan &plan);
  void remove_if_done(Mark mark, Plan &plan);
  bool goes_at_once(Mark mark, const Found &found, const SocketAddress &endpoint) const;
  void change_predecessors(Mark mark);
  bool is_over(const DrainKey &key, Clock::time_point since, Clock::time_point now) const;

  Family family_;
  const Options &options_;
  std::uint32_t weight_; ///< of an endpoint that is wanted
  std::map<Mark, Found> actual_;
  std::map<Mark, Wanted> wanted_;
  std::map<Mark, Mark> successors_;
  std::set<Mark> changed_;
  std::map<DrainKey, Clock::time_point> draining_; ///< weight 0, and since when we know
};

} // namespace sluice::proxy::ipvs
