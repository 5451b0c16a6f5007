#pragma once

#include "kernel/ipvs/ipvs.hpp"

#include <map>
#include <set>

namespace sluice::kernel::ipvs::fake {

/// A network namespace's IPVS in memory. Several `fake::Ipvs` may share one: what a restarted
/// program finds.
struct State {
  struct ServiceState {
    Service service;
    std::map<SocketAddress, DestinationInfo> destinations;
  };
  std::map<ServiceId, ServiceState> services;
  std::set<std::string> schedulers{"rr",  "wrr", "lc", "wlc", "sh",  "dh",
                                   "sed", "nq",  "mh", "fo",  "ovf", "lblc"};
  Timeouts timeouts{std::chrono::minutes(15), std::chrono::minutes(2), std::chrono::minutes(5)};
  std::size_t operations = 0; ///< that were tried
};

/// Keeps the kernel's rules (ipvs.hpp names them). A shared suite checks it against the kernel.
class Ipvs final : public ipvs::Ipvs {
public:
  explicit Ipvs(std::shared_ptr<State> state) : state_(std::move(state)) {}

  /// The conversation breaks after so many more operations: the program died there.
  void fail_after(std::size_t operations) { operations_left_ = operations; }

  Result<std::vector<Refusal>> apply_each(const std::vector<Op> &ops) override;
  Result<std::vector<ServiceInfo>> read_services() override;
  Result<std::vector<DestinationInfo>> read_destinations(const ServiceId &service) override;
  Result<Timeouts> read_timeouts() override { return state_->timeouts; }
  Result<> set_timeouts(const Timeouts &timeouts) override;
  Result<Version> read_version() override { return Version{1, 2, 1, 4096}; }

private:
  std::shared_ptr<State> state_; // shared with the "kernel" that outlives this program
  std::optional<std::size_t> operations_left_;
};

} // namespace sluice::kernel::ipvs::fake
