#include "proxy/flow_cleaner.hpp"

namespace sluice::proxy {
namespace {

using Time = std::chrono::steady_clock;
using TrackedFlow = kernel::conntrack::Flow;

constexpr std::size_t kRemovalsAtOnce = 256;
/// A pass takes at most one part in so many of the time.
constexpr int kShare = 20;
constexpr auto kLongestWait = std::chrono::minutes(1);

} // namespace

FlowCleaner::FlowCleaner(Parts parts) : parts_(std::move(parts)), thread_([this] { run(); }) {}

FlowCleaner::~FlowCleaner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void FlowCleaner::look_for(FlowQuery query) {
  if (query.empty())
    return;
  {
    const std::lock_guard lock(mutex_);
    auto &pending = pending_[query.family];
    pending.query.merge(std::move(query));
    pending.wanted = true;
  }
  wake_.notify_all();
}

void FlowCleaner::run() {
  while (auto query = next()) {
    const auto outcome = clean(*query);
    done(std::move(*query), outcome);
    parts_.report(outcome);
  }
}

std::optional<FlowQuery> FlowCleaner::next() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto earliest = Time::time_point::max();
    for (auto &[family, pending] : pending_) {
      if (!pending.wanted)
        continue;
      if (Time::now() >= pending.not_before) {
        pending.wanted = false;
        return std::exchange(pending.query, {});
      }
      earliest = std::min(earliest, pending.not_before);
    }
    if (earliest == Time::time_point::max())
      wake_.wait(lock);
    else
      wake_.wait_until(lock, earliest);
  }
  return std::nullopt;
}

CleanupOutcome FlowCleaner::clean(const FlowQuery &query) {
  const auto began = Time::now();
  const auto removed = pass(query);
  CleanupOutcome outcome{query.family, removed.value_or(0), Time::now() - began, {}};
  if (!removed)
    outcome.error = removed.error();
  return outcome;
}

Result<std::size_t> FlowCleaner::pass(const FlowQuery &query) {
  std::set<IpAddress> local;
  if (query.anyNodePortAddress) {
    SLUICE_ASSIGN(local, parts_.localAddresses(), "clean up UDP flows");
  }
  std::size_t removed = 0;
  std::optional<Error> error;
  std::vector<TrackedFlow> stale;
  const auto flush = [&] {
    auto done = parts_.conntrack->remove(stale);
    stale.clear();
    if (done)
      removed += *done;
    else if (!error)
      error = std::move(done.error());
  };
  SLUICE_TRY(parts_.conntrack->each({query.family, Protocol::udp},
                                    [&](const TrackedFlow &flow) {
                                      if (!is_stale(flow, query, local))
                                        return;
                                      stale.push_back(flow);
                                      if (stale.size() == kRemovalsAtOnce)
                                        flush();
                                    }),
             "clean up UDP flows");
  flush();
  if (error)
    return fail(std::move(*error).in("clean up UDP flows"));
  return removed;
}

void FlowCleaner::done(FlowQuery query, const CleanupOutcome &outcome) {
  const std::lock_guard lock(mutex_);
  auto &pending = pending_[query.family];
  auto wait = std::max<Time::duration>(parts_.interval, outcome.took * kShare);
  if (outcome.error) {
    if (pending.wanted)
      query.merge(std::move(pending.query));
    pending.query = std::move(query);
    pending.wanted = true;
    wait = std::min<Time::duration>(wait * (2U << std::min(pending.failures++, 10U)), kLongestWait);
  } else {
    pending.failures = 0;
  }
  pending.not_before = Time::now() + wait;
}

} // namespace sluice::proxy
