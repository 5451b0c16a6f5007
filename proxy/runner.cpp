#include "proxy/runner.hpp"

#include "kube/daemon/log.hpp"
#include "proxy/rfc3339.hpp"

#include <malloc.h>

namespace sluice::proxy {
namespace {

using kube::daemon::log_debug;
using kube::daemon::log_info;
using kube::daemon::log_warning;

/// Messages taken in one turn at most, so that an endless stream cannot hold a sync up.
constexpr int kBurst = 4096;
/// A read-back that took so long has read much.
constexpr auto kLongReadBack = std::chrono::milliseconds(10);
constexpr const char *kTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time";

template <class Object> kube::ObjectKey key_of(const Object &object) {
  return {object.metadata.namespace_, object.metadata.name};
}

template <class Object> bool is_synced(const kube::Change<Object> &change) {
  return change.kind == kube::Change<Object>::Kind::synced;
}
template <class Object> bool is_deleted(const kube::Change<Object> &change) {
  return change.kind == kube::Change<Object>::Kind::deleted;
}

std::optional<kube::ObjectKey> service_of(const kube::EndpointSlice &slice) {
  const auto label = slice.metadata.labels.find("kubernetes.io/service-name");
  if (label == slice.metadata.labels.end())
    return std::nullopt;
  return kube::ObjectKey{slice.metadata.namespace_, label->second};
}

std::vector<Cidr> cidrs_of(const kube::ServiceCIDR &object) {
  std::vector<Cidr> cidrs;
  for (const auto &text : object.cidrs)
    if (const auto cidr = parse_cidr_sloppy(text))
      cidrs.push_back(*cidr);
  return cidrs;
}

std::string milliseconds(Clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms",
                std::chrono::duration<double, std::milli>(time).count());
  return text;
}

/// The first few, so that a flushed table does not fill the log.
std::string first_of(const std::vector<std::string> &lines) {
  std::string text;
  for (std::size_t i = 0; i < lines.size() && i < 3; ++i)
    text += (i == 0 ? "" : "; ") + lines[i];
  if (lines.size() > 3)
    text += "; and " + std::to_string(lines.size() - 3) + " more";
  return text;
}

} // namespace

Runner::Runner(RunnerParts parts, NodeOptions node_options,
               std::vector<std::unique_ptr<FamilySync>> families)
    : parts_(std::move(parts)), node_options_(std::move(node_options)),
      families_(std::move(families)) {
  node_changed(parts_.clock.now());
  for (const auto &sync : families_)
    publish_health(*sync, false);
}

void Runner::run() {
  while (!stopping_) {
    if (auto first = parts_.inbox.take_until(deadline()))
      handle(*first);
    else if (parts_.inbox.closed())
      return;
    turn();
  }
}

void Runner::turn() {
  for (int i = 0; i < kBurst && !stopping_; ++i) {
    auto next = parts_.inbox.try_take();
    if (!next)
      break;
    handle(*next);
  }
  if (!stopping_)
    sync_all();
}

Clock::time_point Runner::deadline() const {
  auto earliest = parts_.clock.now() + std::chrono::hours(1);
  for (const auto &sync : families_)
    earliest = std::min(earliest, sync->deadline());
  return earliest;
}

FamilySync *Runner::family(Family family) noexcept {
  for (const auto &sync : families_)
    if (sync->model().family() == family)
      return sync.get();
  return nullptr;
}

std::string Runner::uid_of(const kube::ObjectKey &service) const {
  const auto found = uids_.find(service);
  return found == uids_.end() ? "" : found->second;
}

void Runner::handle(Envelope &envelope) {
  std::visit([&](const auto &message) { on(message, envelope.at); }, envelope.message);
}

void Runner::on(const kube::Change<kube::Service> &change, Clock::time_point at) {
  if (is_synced(change)) {
    services_synced_ = true;
    return allow_when_known();
  }
  if (!is_deleted(change) && change.object.healthCheckNodePort != 0)
    uids_[key_of(change.object)] = change.object.metadata.uid;
  else
    uids_.erase(key_of(change.object));
  bool any = false;
  for (const auto &sync : families_) {
    auto &model = sync->model();
    if (!(is_deleted(change) ? model.remove_service(key_of(change.object))
                             : model.update(change.object)))
      continue;
    any = true;
    changed(*sync, at);
  }
  (any ? parts_.metrics.service_changes : parts_.metrics.suppressed).add();
}

void Runner::on(const kube::Change<kube::EndpointSlice> &change, Clock::time_point at) {
  if (is_synced(change)) {
    slices_synced_ = true;
    return allow_when_known();
  }
  bool any = false;
  for (const auto &sync : families_) {
    auto &model = sync->model();
    if (!(is_deleted(change) ? model.remove_slice(key_of(change.object))
                             : model.update(change.object)))
      continue;
    any = true;
    changed(*sync, at);
    if (is_deleted(change))
      forget_triggers(change.object, *sync);
    else
      note_trigger(change.object, *sync);
  }
  (any ? parts_.metrics.endpoint_changes : parts_.metrics.suppressed).add();
}

void Runner::on(const kube::Change<kube::Node> &change, Clock::time_point at) {
  if (is_synced(change)) {
    nodes_synced_ = true;
    if (!node_)
      log_warning("the API server has no Node of our name: zone, addresses and podCIDRs are "
                  "unknown until it appears");
    return allow_when_known();
  }
  if (is_deleted(change)) {
    log_warning("our Node was deleted; keeping its last state",
                {{"node", change.object.metadata.name}});
    return;
  }
  node_ = change.object;
  node_changed(at);
  allow_when_known();
}

void Runner::on(const kube::Change<kube::ServiceCIDR> &change, Clock::time_point at) {
  const auto &name = change.object.metadata.name;
  if (is_synced(change))
    service_cidrs_synced_ = true;
  else if (is_deleted(change))
    service_cidrs_.erase(name);
  else
    service_cidrs_[name] = cidrs_of(change.object);
  if (service_cidrs_synced_)
    node_changed(at);
}

void Runner::on(const LocalAddresses &local, Clock::time_point at) {
  local_ = local.addresses;
  node_changed(at);
}

void Runner::on(const KernelChanged &notice, Clock::time_point) {
  if (auto *sync = family(notice.family))
    sync->kernel_changed();
}

void Runner::on(const Call &call, Clock::time_point) {
  // Whoever asks sees what came in before the question.
  sync_all();
  call(*this);
}

void Runner::on(const Stop &, Clock::time_point) { stopping_ = true; }

void Runner::node_changed(Clock::time_point at) {
  const auto options = options_now();
  for (const auto &sync : families_) {
    const auto info = node_info(options, node_, sync->model().family(), local_);
    if (info && sync->model().set_node(*info, zone_of(node_)))
      changed(*sync, at);
  }
  const bool is_eligible = eligible(node_);
  parts_.health.update([&](HealthState &state) { state.node_eligible = is_eligible; });
}

void Runner::set_node_options(NodeOptions options, Clock::time_point at) {
  node_options_ = std::move(options);
  node_changed(at);
  allow_when_known();
}

/// The operator's, and what the cluster adds to them.
NodeOptions Runner::options_now() const {
  auto options = node_options_;
  auto &all = options.serviceCidrs;
  for (const auto &[name, cidrs] : service_cidrs_)
    all.insert(all.end(), cidrs.begin(), cidrs.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return options;
}

void Runner::allow_when_known() {
  if (allowed_ || !synced())
    return;
  if (!node_info(node_options_, node_, Family::ipv4)) {
    log_warning("waiting for the podCIDRs of our Node: --detect-local-mode=NodeCIDR needs them");
    return;
  }
  allowed_ = true;
  for (const auto &sync : families_)
    sync->allow();
}

void Runner::changed(FamilySync &sync, Clock::time_point at) {
  sync.changed(at);
  parts_.metrics.of(sync.model().family()).last_queued.set(wall_seconds());
}

void Runner::note_trigger(const kube::EndpointSlice &slice, FamilySync &sync) {
  const auto found = slice.metadata.annotations.find(kTriggerTime);
  if (found == slice.metadata.annotations.end())
    return;
  const auto service = service_of(slice);
  const auto time = parse_rfc3339(found->second);
  if (service && time && *time >= started_)
    triggers_[sync.model().family()][*service].insert(*time);
}

void Runner::forget_triggers(const kube::EndpointSlice &slice, FamilySync &sync) {
  if (const auto service = service_of(slice))
    triggers_[sync.model().family()].erase(*service);
}

void Runner::sync_all() {
  std::size_t services = 0, endpoints = 0;
  bool all_started = true;
  for (const auto &sync : families_) {
    while (const auto outcome = sync->step()) {
      report(*sync, *outcome);
      after_commit(*sync, *outcome);
    }
    if (sync->oldest_change())
      publish_health(*sync, false);
    all_started = all_started && sync->in_step();
    services += sync->model().pending_services();
    endpoints += sync->model().pending_endpoints();
  }
  if (all_started && !all_started_) {
    all_started_ = true;
    if (parts_.allStarted)
      parts_.allStarted();
  }
  parts_.metrics.service_changes_pending.set(static_cast<double>(services));
  parts_.metrics.endpoint_changes_pending.set(static_cast<double>(endpoints));
}

void Runner::report(FamilySync &sync, const SyncOutcome &outcome) {
  using Kind = SyncOutcome::Kind;
  const auto family = sync.model().family();
  if (outcome.kind == Kind::waiting)
    return log_debug("somebody else is writing rules; waiting", {{"family", name_of(family)}});
  parts_.metrics.of(family).record(outcome, sync.model(), parts_.clock.now());
  publish_health(sync, outcome.kind != Kind::failed && outcome.kind != Kind::verified);
  const auto name = name_of(family);
  switch (outcome.kind) {
  case Kind::failed:
    return log_warning(
        "sync failed; keeping the rules that are there",
        {{"family", name}, {"error", *outcome.error}, {"retryIn", milliseconds(outcome.retryIn)}});
  case Kind::started:
    log_info("rules are in the kernel", {{"family", name},
                                         {"services", sync.model().service_count()},
                                         {"endpoints", sync.model().endpoint_count()},
                                         {"frontends", outcome.frontends},
                                         {"took", milliseconds(outcome.took)}});
    ::malloc_trim(0); // the first lists and the first batch were large
    break;
  case Kind::repaired:
    log_warning("somebody else had changed our rules; they are repaired",
                {{"family", name},
                 {"differences", first_of(outcome.differences)},
                 {"took", milliseconds(outcome.took)}});
    break;
  case Kind::applied:
    log_debug("changes are in the kernel", {{"family", name},
                                            {"services", outcome.services},
                                            {"frontends", outcome.frontends},
                                            {"backendSets", outcome.backendSets},
                                            {"took", milliseconds(outcome.took)}});
    break;
  case Kind::verified:
    if (outcome.took >= kLongReadBack)
      ::malloc_trim(0); // and so was what was read
    return;
  case Kind::unchanged:
  case Kind::waiting:
    return;
  }
  report_triggers(family);
}

void Runner::report_triggers(Family family) {
  const auto now = std::chrono::system_clock::now();
  for (const auto &[service, times] : triggers_[family])
    for (const auto &time : times)
      parts_.metrics.of(family).network_programming.observe(
          std::chrono::duration<double>(now - time).count());
  triggers_[family].clear();
}

void Runner::after_commit(const FamilySync &sync, const SyncOutcome &outcome) {
  using Kind = SyncOutcome::Kind;
  if (outcome.kind == Kind::failed || outcome.kind == Kind::verified ||
      outcome.kind == Kind::waiting)
    return;
  const auto &model = sync.model();
  auto &followers = followers_[model.family()];
  const bool all = outcome.kind == Kind::started || outcome.kind == Kind::repaired;
  if (parts_.lookForFlows) {
    auto query =
        all ? followers.flows.update_all(model) : followers.flows.update(model, outcome.changed);
    if (!query.empty())
      parts_.lookForFlows(std::move(query));
  }
  const auto *changed = all ? nullptr : &outcome.changed;
  if (parts_.setHealthPorts)
    if (auto wanted = followers.healthPorts.update(model, changed))
      parts_.setHealthPorts(std::move(*wanted));
  const auto &gaps = followers.localGaps.update(model, changed);
  const auto &metrics = parts_.metrics.of(model.family());
  metrics.no_local_internal.set(static_cast<double>(gaps.internal));
  metrics.no_local_external.set(static_cast<double>(gaps.external));
}

void Runner::publish_health(const FamilySync &sync, bool synced_now) {
  // Before the first full list nothing can be late.
  const auto oldest = allowed_ ? sync.oldest_change() : std::nullopt;
  parts_.health.update([&](HealthState &state) {
    auto &family = state.families[sync.model().family()];
    family.oldest_change = oldest;
    if (synced_now) {
      family.last_sync = std::chrono::system_clock::now();
      family.synced = true;
    }
  });
}

} // namespace sluice::proxy
