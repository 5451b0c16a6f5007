#include "proxy/family_sync.hpp"

namespace sluice::proxy {
namespace {

constexpr auto kFirstRetry = std::chrono::seconds(1);
/// Whoever keeps changing our objects gets one read-back a second, not one for each change.
constexpr auto kVerifyInterval = std::chrono::seconds(1);
/// The periodic read-back takes at most one part in so many of the time.
constexpr int kAuditShare = 100;
/// How soon to look again whether another program has finished writing.
constexpr auto kBusyRetry = std::chrono::milliseconds(100);

} // namespace

FamilySync::FamilySync(std::unique_ptr<Model> model, std::unique_ptr<Dataplane> dataplane,
                       SyncPeriods periods, const Clock &clock)
    : model_(std::move(model)), dataplane_(std::move(dataplane)), periods_(periods), clock_(clock) {
}

void FamilySync::changed(Clock::time_point at) {
  if (!oldest_change_)
    oldest_change_ = at;
}

std::optional<SyncOutcome> FamilySync::step() {
  const auto now = clock_.now();
  if (!allowed_ || now < deadline())
    return std::nullopt;
  if (needs_start_)
    return start();
  if (oldest_change_ && now >= next_sync_)
    return apply();
  return verify();
}

Clock::time_point FamilySync::deadline() const {
  if (!allowed_)
    return Clock::time_point::max();
  if (needs_start_)
    return retry_at_;
  return oldest_change_ ? std::min(next_sync_, verify_due()) : verify_due();
}

Clock::time_point FamilySync::verify_due() const {
  return verify_wanted_ ? std::min(next_verify_, next_audit_) : next_audit_;
}

SyncOutcome FamilySync::start() {
  const auto began = clock_.now();
  SyncOutcome outcome{SyncOutcome::Kind::started};
  outcome.services = model_->sync().services.size();
  outcome.frontends = model_->table().frontends.size();
  outcome.backendSets = model_->table().backendSets.size();
  waiting_for_.clear();
  if (auto started = dataplane_->start(model_->table()); !started)
    return failed(std::move(started.error()), began);
  needs_start_ = false;
  verify_wanted_ = false;
  next_audit_ = clock_.now() + periods_.period;
  return done(std::move(outcome), began);
}

SyncOutcome FamilySync::apply() {
  const auto began = clock_.now();
  auto change = model_->sync();
  SyncOutcome outcome{SyncOutcome::Kind::unchanged};
  outcome.changed = std::exchange(waiting_for_, {});
  outcome.changed.merge(change.services);
  if (change.delta.empty() && !unwritten_) {
    oldest_change_.reset();
    return outcome;
  }
  if (auto applied = dataplane_->apply(change.delta); !applied) {
    if (applied.error().code() == Errc::busy)
      return waiting(std::move(outcome), began);
    return failed(std::move(applied.error()), began);
  }
  outcome.kind = SyncOutcome::Kind::applied;
  outcome.services = outcome.changed.size();
  outcome.frontends = change.delta.setFrontends.size() + change.delta.removeFrontends.size();
  outcome.backendSets = change.delta.setBackends.size() + change.delta.removeBackends.size();
  return done(std::move(outcome), began);
}

SyncOutcome FamilySync::waiting(SyncOutcome outcome, Clock::time_point began) {
  unwritten_ = true;
  waiting_for_ = outcome.changed;
  next_sync_ = clock_.now() + kBusyRetry;
  outcome.kind = SyncOutcome::Kind::waiting;
  outcome.took = clock_.now() - began;
  return outcome;
}

SyncOutcome FamilySync::verify() {
  const auto began = clock_.now();
  verify_wanted_ = false;
  const auto untouched = dataplane_->untouched();
  auto drift =
      untouched && *untouched ? Result<Drift>(Drift{}) : dataplane_->verify(model_->table());
  if (!drift)
    return failed(std::move(drift.error()), began);
  const auto took = clock_.now() - began;
  next_verify_ = clock_.now() + kVerifyInterval;
  next_audit_ = clock_.now() + std::max(periods_.period, took * kAuditShare);
  if (drift->empty()) {
    SyncOutcome outcome{SyncOutcome::Kind::verified};
    outcome.took = took;
    return outcome;
  }
  auto outcome = start();
  if (outcome.kind == SyncOutcome::Kind::started)
    outcome.kind = SyncOutcome::Kind::repaired;
  outcome.differences = std::move(drift->differences);
  return outcome;
}

SyncOutcome FamilySync::done(SyncOutcome outcome, Clock::time_point began) {
  const auto now = clock_.now();
  outcome.took = now - began;
  outcome.oldestChange = std::exchange(oldest_change_, std::nullopt);
  next_sync_ = now + periods_.min;
  unwritten_ = false;
  failures_ = 0;
  last_error_.reset();
  return outcome;
}

SyncOutcome FamilySync::failed(Error error, Clock::time_point began) {
  const auto now = clock_.now();
  SyncOutcome outcome{SyncOutcome::Kind::failed};
  outcome.took = now - began;
  // The first failure may only mean that somebody changed the kernel's state under us: reading it
  // back at once mends that.
  const auto doubled = kFirstRetry * (1U << std::min(failures_ > 0 ? failures_ - 1 : 0U, 10U));
  outcome.retryIn =
      failures_ == 0 && !needs_start_
          ? Clock::duration{}
          : std::min(std::chrono::duration_cast<Clock::duration>(doubled), periods_.period);
  ++failures_;
  needs_start_ = true;
  retry_at_ = now + outcome.retryIn;
  last_error_ = error;
  outcome.error = std::move(error);
  if (!oldest_change_)
    oldest_change_ = began;
  return outcome;
}

} // namespace sluice::proxy
