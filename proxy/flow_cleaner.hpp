#pragma once
// Removes stale UDP flows from the kernel, on a thread of its own.

#include "proxy/conntrack_cleanup.hpp"

#include <condition_variable>
#include <thread>

namespace sluice::proxy {

struct CleanupOutcome {
  Family family = Family::ipv4;
  std::size_t removed = 0;
  std::chrono::steady_clock::duration took{};
  std::optional<Error> error; ///< what was to be looked for is looked for again later
};

/// Takes queries and works on them one after the other: of each family a pass over the kernel's
/// table at most every `interval`, and more rarely if it takes long, so that a twentieth of a
/// processor is the most that it costs. What came meanwhile is one query. The caller never waits.
/// Thread-safe: `mutex_` guards everything that changes.
class FlowCleaner {
public:
  struct Parts {
    std::unique_ptr<kernel::conntrack::Conntrack> conntrack;
    /// The addresses of this node; asked on the cleaner's thread when a pass needs them.
    std::function<Result<std::set<IpAddress>>()> localAddresses;
    /// Called on the cleaner's thread after each pass.
    std::function<void(const CleanupOutcome &)> report;
    std::chrono::milliseconds interval{100}; ///< between two passes of one family
  };
  explicit FlowCleaner(Parts parts);
  /// What is not done yet is left.
  ~FlowCleaner();

  void look_for(FlowQuery query);

private:
  struct Pending {
    FlowQuery query;
    std::chrono::steady_clock::time_point not_before{};
    unsigned failures = 0;
    bool wanted = false;
  };
  void run();
  std::optional<FlowQuery> next();
  CleanupOutcome clean(const FlowQuery &query);
  Result<std::size_t> pass(const FlowQuery &query);
  void done(FlowQuery query, const CleanupOutcome &outcome);

  Parts parts_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<Family, Pending> pending_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::proxy
