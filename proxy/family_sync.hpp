#pragma once
// One IP family in step: its model, its data plane, and when to do what. Decides by a Clock, does
// not wait and does not log; the runner calls `step` and reads the outcome.

#include "net/clock.hpp"
#include "proxy/dataplane.hpp"
#include "proxy/model/model.hpp"

namespace sluice::proxy {

struct SyncPeriods {
  /// At least this long between the end of a sync and the next; changes in between are merged.
  Clock::duration min{0};
  /// The longest wait between two tries after an error, and how often the kernel is read back
  /// (more rarely if that would take more than a hundredth of the time).
  Clock::duration period = std::chrono::seconds(30);
};

struct SyncOutcome {
  enum class Kind : std::uint8_t {
    unchanged, ///< the changes cancelled each other out: no kernel write
    applied,
    started,
    verified, ///< the kernel is as it should be
    repaired, ///< it was not, and is again
    failed,
    waiting, ///< somebody else is writing to the kernel; tried again soon
  };
  Kind kind = Kind::unchanged;
  Clock::duration took{};
  std::size_t services = 0, frontends = 0, backendSets = 0; ///< written
  /// applied, unchanged: the Services that were looked at.
  std::set<kube::ObjectKey> changed;
  /// When the oldest of the changes that are in the kernel now came in.
  std::optional<Clock::time_point> oldestChange;
  std::vector<std::string> differences; ///< repaired
  std::optional<Error> error;           ///< failed
  Clock::duration retryIn{};            ///< failed
};

/// Not thread-safe.
class FamilySync {
public:
  FamilySync(std::unique_ptr<Model> model, std::unique_ptr<Dataplane> dataplane,
             SyncPeriods periods, const Clock &clock);

  Model &model() noexcept { return *model_; }
  const Model &model() const noexcept { return *model_; }
  Dataplane &dataplane() noexcept { return *dataplane_; }

  /// From now on the kernel may be written: everything that was to be known first is known.
  void allow() noexcept { allowed_ = true; }
  /// The model has something pending that came in at `at`.
  void changed(Clock::time_point at);
  /// Somebody else touched our objects.
  void kernel_changed() noexcept { verify_wanted_ = true; }

  /// Does what is due, one thing at a time; nothing if nothing is.
  std::optional<SyncOutcome> step();
  /// When `step` will have something to do, as far as is known now.
  Clock::time_point deadline() const;

  /// The first sync has succeeded, and no error since.
  bool in_step() const noexcept { return !needs_start_; }
  std::optional<Clock::time_point> oldest_change() const noexcept { return oldest_change_; }
  const std::optional<Error> &last_error() const noexcept { return last_error_; }

private:
  SyncOutcome start();
  SyncOutcome apply();
  SyncOutcome waiting(SyncOutcome outcome, Clock::time_point began);
  SyncOutcome verify();
  SyncOutcome done(SyncOutcome outcome, Clock::time_point began);
  SyncOutcome failed(Error error, Clock::time_point began);
  Clock::time_point verify_due() const;

  std::unique_ptr<Model> model_;
  std::unique_ptr<Dataplane> dataplane_;
  SyncPeriods periods_;
  const Clock &clock_;

  bool allowed_ = false;
  bool needs_start_ = true; ///< the kernel's state is unknown: the next write reads it back
  bool verify_wanted_ = false;
  bool unwritten_ = false;                ///< the data plane keeps a change that it could not write
  std::set<kube::ObjectKey> waiting_for_; ///< Services of that change
  std::optional<Clock::time_point> oldest_change_;
  std::optional<Error> last_error_;
  unsigned failures_ = 0;
  Clock::time_point retry_at_{}, next_sync_{}, next_verify_{}, next_audit_{};
};

} // namespace sluice::proxy
