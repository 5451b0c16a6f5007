#include "node/loop.hpp"

#include "kube/daemon/log.hpp"

namespace sluice::node {
namespace {

using kube::daemon::log_debug;
using kube::daemon::log_info;
using kube::daemon::log_warning;
using Clock = std::chrono::steady_clock;

} // namespace

Loop::Loop(Agent &agent, Mailbox<Event> &mailbox, Rhythm rhythm)
    : agent_(agent), mailbox_(mailbox), rhythm_(rhythm) {}

void Loop::take(const kube::Change<kube::Node> &change) {
  using Kind = kube::Change<kube::Node>::Kind;
  const auto &name = change.object.metadata.name;
  switch (change.kind) {
  case Kind::synced:
    synced_ = true;
    log_info("nodes are known", {{"count", cluster_.size()}});
    break;
  case Kind::deleted:
    cluster_.erase(name);
    break;
  case Kind::added:
  case Kind::modified:
    // Most changes of a Node (its status, its lease) do not concern us.
    if (auto network = network_of(change.object);
        cluster_.count(name) != 0 && cluster_[name] == network)
      return;
    else
      cluster_[name] = std::move(network);
    break;
  }
  due_by(Clock::now() + rhythm_.after_node_change);
}

void Loop::take(const Event &event) {
  if (const auto *change = std::get_if<kube::Change<kube::Node>>(&event))
    take(*change);
  else
    due_by(Clock::now() + rhythm_.after_kernel_change);
}

void Loop::run() {
  while (!mailbox_.closed()) {
    if (const auto event = mailbox_.take_until(synced_ ? due_ : Time::max()))
      take(*event);
    if (synced_ && Clock::now() >= due_)
      round();
  }
}

Result<Actions> Loop::plan_once(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!synced_) {
    const auto event = mailbox_.take_until(deadline);
    if (event)
      take(*event);
    else if (mailbox_.closed())
      return fail(Errc::unavailable, "plan: stopped before the Nodes were known");
    else
      return fail(Errc::timeout, "plan: no list of Nodes from the API server in " +
                                     std::to_string(patience.count()) + " ms");
  }
  return agent_.plan(cluster_);
}

/// Each problem once, when it appears and when it is gone.
void Loop::report(const Actions &actions) {
  const std::set<Problem> now(actions.problems.begin(), actions.problems.end());
  for (const auto &problem : now)
    if (reported_.count(problem) == 0)
      log_warning("a node cannot be served", {{"node", problem.node}, {"problem", problem.what}});
  for (const auto &problem : reported_)
    if (now.count(problem) == 0)
      log_info("a problem is gone", {{"node", problem.node}, {"problem", problem.what}});
  reported_ = now;
}

void Loop::round() {
  due_ = Clock::now() + rhythm_.resync;
  std::string failure;
  if (const auto actions = agent_.plan(cluster_); !actions) {
    failure = actions.error().what();
  } else {
    report(*actions);
    if (!actions->empty()) {
      log_debug("applying", {{"operations", actions->str()}});
      for (const auto &error : agent_.apply(*actions))
        failure += (failure.empty() ? "" : "; ") + error.what();
      if (failure.empty())
        log_info("the kernel is in step", {{"links_and_routes", actions->links_and_routes.size()},
                                           {"masquerade", actions->masquerade.size()},
                                           {"sysctls", actions->sysctls.size()},
                                           {"cni_config", actions->cni_config.has_value()}});
    }
  }
  if (!failure.empty()) {
    due_ = Clock::now() + rhythm_.retry;
    if (failure != last_failure_)
      log_warning("not everything could be done; what is there stays, trying again",
                  {{"retry_ms", rhythm_.retry.count()}, {"error", failure}});
  }
  last_failure_ = failure;
}

} // namespace sluice::node
