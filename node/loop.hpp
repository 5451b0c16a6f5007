#pragma once
// When a round of the agent happens: after a change of a Node, after somebody changed our part of
// the kernel, after a failure, and every now and then in any case.

#include "kube/informer.hpp"
#include "net/clock.hpp"
#include "net/mailbox.hpp"
#include "node/agent.hpp"

#include <set>
#include <variant>

namespace sluice::node {

/// Links, addresses, routes or our nft table changed; by whom does not matter.
struct KernelChanged {};
using Event = std::variant<kube::Change<kube::Node>, KernelChanged>;

/// Changes that come together are one round.
struct Rhythm {
  std::chrono::milliseconds after_node_change{50}, after_kernel_change{200};
  std::chrono::milliseconds retry{5000}, resync{30000};
};

/// Owns the picture of the cluster. One thread runs it. Nothing is written before the first
/// complete list of Nodes has come; a server that is away afterwards changes nothing.
class Loop {
public:
  Loop(Agent &agent, Mailbox<Event> &mailbox, Rhythm rhythm = {});
  /// Until the mailbox is closed.
  void run();
  /// Waits for the first complete list and plans once, changing nothing. Errors: as Agent::plan;
  /// timeout; unavailable if the mailbox was closed.
  Result<Actions> plan_once(std::chrono::milliseconds patience);

private:
  using Time = std::chrono::steady_clock::time_point;
  void take(const Event &event);
  void take(const kube::Change<kube::Node> &change);
  void due_by(Time when) { due_ = std::min(due_, when); }
  void round();
  void report(const Actions &actions);

  Agent &agent_;
  Mailbox<Event> &mailbox_;
  Rhythm rhythm_;
  Cluster cluster_;
  bool synced_ = false;
  Time due_ = Time::max();
  std::set<Problem> reported_;
  std::string last_failure_;
};

} // namespace sluice::node
