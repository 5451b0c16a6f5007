#pragma once
// The daemon's one loop. Everything that happens comes through its mailbox: changes from the API
// server, notices from the kernel, questions from the control socket, the order to stop. What
// changed is in the kernel as soon as the messages that are there have been taken.

#include "kube/informer.hpp"
#include "kube/service_cidr.hpp"
#include "net/mailbox.hpp"
#include "proxy/conntrack_cleanup.hpp"
#include "proxy/family_sync.hpp"
#include "proxy/health.hpp"
#include "proxy/metrics.hpp"
#include "proxy/model/node_info.hpp"
#include "proxy/service_health.hpp"

#include <functional>
#include <set>
#include <variant>

namespace sluice::proxy {

/// Somebody else changed our objects of this family.
struct KernelChanged {
  Family family;
};
/// The addresses of this machine's interfaces that a nodePort may have.
struct LocalAddresses {
  std::set<IpAddress> addresses;
};
struct Stop {};

class Runner;
/// Runs on the loop's thread.
using Call = std::function<void(Runner &)>;

using Message = std::variant<kube::Change<kube::Service>, kube::Change<kube::EndpointSlice>,
                             kube::Change<kube::Node>, kube::Change<kube::ServiceCIDR>,
                             LocalAddresses, KernelChanged, Call, Stop>;
struct Envelope {
  Message message;
  Clock::time_point at; ///< when it came in
};
using Inbox = Mailbox<Envelope>;

/// What the loop works with; all outlive it.
struct RunnerParts {
  Inbox &inbox;
  const Clock &clock;
  HealthBoard &health;
  ProxyMetrics &metrics;
  /// Told after a commit which UDP flows it made stale; returns at once. Empty: nobody cares.
  std::function<void(FlowQuery)> lookForFlows;
  /// Told after a commit what load balancers may ask about. Empty: nobody answers them.
  std::function<void(HealthPortsWanted)> setHealthPorts;
  /// Told once, when the rules of every family are in the kernel.
  std::function<void()> allStarted;
};

/// Not thread-safe but for `inbox`.
class Runner {
public:
  /// The kernel is not touched before the first complete list of all three kinds is there.
  Runner(RunnerParts parts, NodeOptions node_options,
         std::vector<std::unique_ptr<FamilySync>> families);

  /// Until `Stop` comes or the inbox is closed. What is in the kernel stays.
  void run();
  /// Takes what is in the inbox and does what is due; does not wait.
  void turn();
  /// When `turn` has something to do if no message comes.
  Clock::time_point deadline() const;

  const std::vector<std::unique_ptr<FamilySync>> &families() const noexcept { return families_; }
  FamilySync *family(Family family) noexcept;
  const std::optional<kube::Node> &node() const noexcept { return node_; }
  /// New options of the operator; on the loop's thread.
  void set_node_options(NodeOptions options, Clock::time_point at);
  /// Of a Service with a healthCheckNodePort; empty for others.
  std::string uid_of(const kube::ObjectKey &service) const;
  bool synced() const noexcept { return services_synced_ && slices_synced_ && nodes_synced_; }
  bool stopping() const noexcept { return stopping_; }

private:
  void handle(Envelope &envelope);
  void on(const kube::Change<kube::Service> &change, Clock::time_point at);
  void on(const kube::Change<kube::EndpointSlice> &change, Clock::time_point at);
  void on(const kube::Change<kube::Node> &change, Clock::time_point at);
  void on(const kube::Change<kube::ServiceCIDR> &change, Clock::time_point at);
  void on(const LocalAddresses &local, Clock::time_point at);
  void on(const KernelChanged &notice, Clock::time_point at);
  void on(const Call &call, Clock::time_point at);
  void on(const Stop &stop, Clock::time_point at);
  void node_changed(Clock::time_point at);
  NodeOptions options_now() const;
  void allow_when_known();
  void changed(FamilySync &sync, Clock::time_point at);
  void note_trigger(const kube::EndpointSlice &slice, FamilySync &sync);
  void forget_triggers(const kube::EndpointSlice &slice, FamilySync &sync);
  void sync_all();
  void report(FamilySync &sync, const SyncOutcome &outcome);
  void report_triggers(Family family);
  void after_commit(const FamilySync &sync, const SyncOutcome &outcome);
  void publish_health(const FamilySync &sync, bool synced_now);

  RunnerParts parts_;
  NodeOptions node_options_;
  std::vector<std::unique_ptr<FamilySync>> families_;
  std::optional<kube::Node> node_;
  std::optional<std::set<IpAddress>> local_;
  std::map<kube::ObjectKey, std::string> uids_; ///< of Services with a healthCheckNodePort
  std::map<std::string, std::vector<Cidr>> service_cidrs_; ///< by the name of their object
  bool service_cidrs_synced_ = false;
  bool services_synced_ = false, slices_synced_ = false, nodes_synced_ = false;
  bool allowed_ = false, stopping_ = false, all_started_ = false;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  /// What follows from the table of one family.
  struct Followers {
    FlowTracker flows;
    HealthPortsTracker healthPorts;
    LocalGapTracker localGaps;
  };
  std::map<Family, Followers> followers_;
  /// When the endpoints changed whose rules are not in the kernel yet, by their annotation.
  std::map<Family, std::map<kube::ObjectKey, std::set<std::chrono::system_clock::time_point>>>
      triggers_;
};

} // namespace sluice::proxy
