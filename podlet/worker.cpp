#include "podlet/worker.hpp"

#include "kernel/files.hpp"
#include "kube/daemon/log.hpp"
#include "podlet/pod_status.hpp"
#include "podlet/probe_run.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/random.h>

namespace sluice::podlet {
namespace {

namespace log = kube::daemon;
using Phase = ContainerState::Phase;
using std::chrono::seconds;

constexpr seconds kLongestRetry{30};
constexpr seconds kCgroupPatience{10};
constexpr int kUnknownExitCode = 137; // as kubelet reports a container whose end nobody saw

Time now() { return std::chrono::system_clock::now(); }

kube::ObjectKey key_of(const kube::Pod &pod) {
  return {pod.metadata.namespace_, pod.metadata.name};
}

std::string random_id() {
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
    std::abort();
  std::string id;
  for (const auto byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

Record new_record(const kube::Pod &pod) {
  Record record;
  record.namespace_ = pod.metadata.namespace_;
  record.name = pod.metadata.name;
  record.uid = pod.metadata.uid;
  record.sandbox_id = random_id();
  record.host_network = pod.hostNetwork;
  record.grace_seconds = pod.terminationGracePeriodSeconds;
  record.state = initial_state(pod, now());
  return record;
}

void earliest(std::optional<Time> &time, const std::optional<Time> &other) {
  if (other)
    time = std::min(time.value_or(*other), *other);
}

} // namespace

PodWorker::PodWorker(kube::Pod pod, Surroundings &surroundings)
    : around_(surroundings), pod_(std::move(pod)), record_(new_record(pod_)),
      thread_([this] { run(); }) {}

PodWorker::PodWorker(kube::Pod pod, Record record, Surroundings &surroundings)
    : around_(surroundings), pod_(std::move(pod)), record_(std::move(record)), adopted_(true),
      thread_([this] { run(); }) {}

PodWorker::~PodWorker() {
  inbox_.put({std::nullopt, false, true});
  thread_.join();
}

void PodWorker::update(kube::Pod pod) { inbox_.put({std::move(pod), false, false}); }
void PodWorker::forget() { inbox_.put({std::nullopt, true, false}); }

void PodWorker::run() {
  if (adopted_)
    adopt();
  else
    publish();
  if (sandbox_ || adopted_ || prepare())
    live();
  if (goal_ == Goal::abandon)
    return;
  tear_down();
  if (goal_ == Goal::leave)
    around_.reports.gone(key_of(pod_), record_.uid);
  if (goal_ != Goal::abandon)
    around_.finished(record_.uid);
}

// ---- the beginning -----------------------------------------------------------------------------

/// Until there is a sandbox; false if the pod is to go before that.
bool PodWorker::prepare() {
  for (seconds pause{1};; pause = std::min(pause * 2, kLongestRetry)) {
    take_messages();
    if (goal_ != Goal::run)
      return false;
    const auto prepared = prepare_once();
    if (prepared)
      return true;
    log::log_warning(
        "cannot make the pod's sandbox",
        {{"pod", key_of(pod_).str()}, {"error", prepared.error()}, {"retry_s", pause.count()}});
    around_.reports.event(pod_, "Warning", "FailedCreatePodSandBox", prepared.error().what());
    publish(prepared.error().what());
    const auto again = now() + pause;
    while (goal_ == Goal::run && now() < again)
      wait_until(again);
  }
}

Result<> PodWorker::prepare_once() {
  // A new identity for each attempt: what a failed one left in a plugin cannot be in the way.
  record_.sandbox_id = random_id();
  const auto folder = around_.sandboxes.store().folder_of(record_.uid);
  SLUICE_TRY(around_.sandboxes.store().save(record_), "remember the pod");
  if (pod_.automountServiceAccountToken.value_or(true)) {
    SLUICE_ASSIGN(token_due_,
                  around_.access.write_service_account(pod_, folder + "/serviceaccount"),
                  "service account");
  }
  SLUICE_ASSIGN(sandbox_, around_.sandboxes.make(record_, pod_), "sandbox");
  return {};
}

void PodWorker::adopt() {
  auto opened = around_.sandboxes.open(record_);
  if (opened)
    sandbox_ = std::move(*opened);
  token_due_ = now();
  for (const bool init : {true, false}) {
    auto &states = init ? record_.state.init : record_.state.containers;
    const auto &specs = init ? pod_.initContainers : pod_.containers;
    for (std::size_t i = 0; i < states.size() && i < specs.size(); ++i) {
      if (states[i].phase != Phase::running)
        continue;
      auto running = RunningContainer::adopt(states[i].pid, states[i].start_ticks,
                                             container_cgroup(specs[i].name));
      if (!running) {
        note_end({init, i}, fail(std::move(running.error())));
        continue;
      }
      if (specs[i].readinessProbe)
        running->readiness.emplace(*specs[i].readinessProbe, states[i].started);
      if (specs[i].livenessProbe)
        running->liveness.emplace(*specs[i].livenessProbe, states[i].started);
      running_.insert_or_assign(specs[i].name, std::move(*running));
    }
  }
  if (!sandbox_ && running_.empty() && !is_over(pod_, record_.state)) {
    // Nothing of it lives (a reboot, a crash half-way): begin again from the start.
    (void)around_.sandboxes.remove(record_);
    record_ = new_record(pod_);
    adopted_ = false;
  }
}

// ---- the life ----------------------------------------------------------------------------------

void PodWorker::live() {
  for (;;) {
    take_messages();
    if (goal_ == Goal::abandon)
      return;
    if (goal_ != Goal::run && !leaving_)
      begin_to_leave();
    notice_ends();
    if (leaving_ && running_.empty())
      return;
    if (!leaving_ && sandbox_) {
      start_due();
      renew_token();
    }
    if (!leaving_ && is_over(pod_, record_.state) && running_.empty())
      (void)release_sandbox();
    run_probes();
    kill_overdue();
    publish();
    wait_until(next_time());
  }
}

std::optional<Time> PodWorker::next_time() const {
  std::optional<Time> time;
  for (const auto &[name, running] : running_) {
    earliest(time, running.kill_at);
    if (running.readiness)
      earliest(time, running.readiness->due());
    if (running.liveness && !leaving_)
      earliest(time, running.liveness->due());
  }
  if (leaving_ || !sandbox_)
    return time;
  earliest(time, next_of(pod_, record_.state, now()).ask_again);
  earliest(time, token_due_);
  return time;
}

void PodWorker::wait_until(std::optional<Time> time) {
  std::vector<pollfd> fds{{inbox_.fd(), POLLIN, 0}};
  for (const auto &[name, running] : running_)
    fds.push_back({running.pidfd(), POLLIN, 0});
  int timeout = -1;
  if (time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*time - now()).count();
    timeout = static_cast<int>(std::clamp<decltype(left)>(left, 0, 3600000));
  }
  ::poll(fds.data(), fds.size(), timeout);
  take_messages();
}

void PodWorker::take_messages() {
  while (auto message = inbox_.try_take()) {
    if (message->abandon)
      goal_ = Goal::abandon;
    if (message->forget && goal_ != Goal::abandon)
      goal_ = Goal::forget;
    if (!message->pod)
      continue;
    // Our own conditions are newer than what comes back from the server.
    message->pod->conditions = std::move(pod_.conditions);
    // Fixed for the life of a pod; our state has an entry for each.
    message->pod->containers = std::move(pod_.containers);
    message->pod->initContainers = std::move(pod_.initContainers);
    pod_ = std::move(*message->pod);
    if (pod_.metadata.deletionTimestamp && goal_ == Goal::run)
      goal_ = Goal::leave;
  }
}

void PodWorker::start_due() {
  for (const auto &ref : next_of(pod_, record_.state, now()).start)
    start(ref);
}

void PodWorker::start(ContainerRef ref) {
  const auto &spec = spec_of(ref);
  auto &state = state_of(ref);
  auto running = spawn(spec);
  if (!running) {
    const bool ours = running.error().code() == Errc::invalid_input;
    note_not_started(state, ours ? "CreateContainerConfigError" : "RunContainerError",
                     running.error().what(), now());
    around_.reports.event(pod_, "Warning", "Failed", running.error().what());
    return save();
  }
  note_started(state, running->pid(), running->start_ticks(), now(),
               spec.readinessProbe.has_value());
  if (spec.readinessProbe)
    running->readiness.emplace(*spec.readinessProbe, state.started);
  if (spec.livenessProbe)
    running->liveness.emplace(*spec.livenessProbe, state.started);
  running_.insert_or_assign(spec.name, std::move(*running));
  save();
  around_.reports.event(pod_, "Normal", "Started", "Started container " + spec.name);
}

Result<RunningContainer> PodWorker::spawn(const kube::Container &spec) {
  ContainerSettings settings;
  SLUICE_ASSIGN(const auto api, around_.access.api_address(), "container \"" + spec.name + "\"");
  auto place = context();
  place.api_host = api.host;
  place.api_port = api.port;
  SLUICE_ASSIGN(settings.environment, environment_of(pod_, spec, place), "environment");
  SLUICE_ASSIGN(settings.argv, argv_of(spec, settings.environment), "command");
  if (!spec.workingDir.empty())
    settings.working_directory = spec.workingDir;
  settings.hostname = hostname_of(pod_, around_.node_name);
  settings.log_path = around_.sandboxes.store().folder_of(record_.uid) + "/" + spec.name + ".log";
  settings.cgroup_path = container_cgroup(spec.name);
  return RunningContainer::start(settings, *sandbox_);
}

void PodWorker::notice_ends() {
  for (const bool init : {true, false}) {
    const auto &specs = init ? pod_.initContainers : pod_.containers;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const auto found = running_.find(specs[i].name);
      if (found == running_.end())
        continue;
      if (const auto status = found->second.ended()) {
        running_.erase(found);
        note_end({init, i}, *status);
      }
    }
  }
}

void PodWorker::note_end(ContainerRef ref, const Result<kernel::ExitStatus> &status) {
  auto &state = state_of(ref);
  const int code = status ? status->shell_code() : kUnknownExitCode;
  note_ended(state, leaving_ ? "Never" : pod_.restartPolicy, ref.init, code,
             status ? status->signal : 0, now());
  if (!status)
    state.last->reason = "ContainerStatusUnknown";
  if (!leaving_ && code != 0)
    around_.reports.event(pod_, "Warning", "BackOff",
                          "container " + spec_of(ref).name + " ended with code " +
                              std::to_string(code));
  save();
}

// ---- probes ------------------------------------------------------------------------------------

void PodWorker::run_probes() {
  for (std::size_t i = 0; i < pod_.containers.size(); ++i) {
    const auto found = running_.find(pod_.containers[i].name);
    if (found == running_.end())
      continue;
    run_readiness({false, i}, found->second);
    if (!leaving_)
      run_liveness({false, i}, found->second);
  }
}

void PodWorker::run_readiness(ContainerRef ref, RunningContainer &running) {
  if (!running.readiness || running.readiness->due() > now())
    return;
  const auto answer = ask(*spec_of(ref).readinessProbe, spec_of(ref), running);
  running.readiness->record(answer.has_value(), now());
  auto &state = state_of(ref);
  const bool ready = running.readiness->verdict().value_or(state.ready);
  if (ready == state.ready)
    return;
  state.ready = ready;
  if (!ready)
    around_.reports.event(pod_, "Warning", "Unhealthy",
                          "Readiness probe failed: " +
                              (answer ? std::string() : answer.error().what()));
  save();
}

void PodWorker::run_liveness(ContainerRef ref, RunningContainer &running) {
  if (!running.liveness || running.liveness->due() > now() || running.kill_at)
    return;
  const auto answer = ask(*spec_of(ref).livenessProbe, spec_of(ref), running);
  running.liveness->record(answer.has_value(), now());
  if (running.liveness->verdict().value_or(true))
    return;
  around_.reports.event(pod_, "Warning", "Killing",
                        "Container " + spec_of(ref).name + " failed its liveness probe: " +
                            (answer ? std::string() : answer.error().what()));
  running.signal(SIGTERM);
  running.kill_at = now() + seconds(record_.grace_seconds);
}

Result<> PodWorker::ask(const kube::Probe &probe, const kube::Container &spec,
                        const RunningContainer &running) {
  const auto timeout = std::chrono::seconds(std::max(probe.timeoutSeconds, 1));
  if (probe.kind == kube::Probe::Kind::exec) {
    SLUICE_ASSIGN(const auto cgroup, kernel::Cgroup::open(container_cgroup(spec.name)), "probe");
    kernel::SpawnOptions options;
    options.argv = probe.command;
    SLUICE_ASSIGN(options.environment, environment_of(pod_, spec, context()), "probe");
    options.netns_fd = sandbox_->netns.fd();
    options.mount_ns_fd = sandbox_->mounts.fd();
    options.hostname = hostname_of(pod_, around_.node_name);
    options.cgroup_fd = cgroup.fd();
    options.working_directory = "/";
    return probe_exec(std::move(options), timeout);
  }
  (void)running;
  if (record_.state.ips.empty())
    return fail(Errc::unavailable, "the pod has no address");
  SLUICE_ASSIGN(const auto port, probe_port(spec, probe.port), "probe");
  SocketAddress to{record_.state.ips.front(), port};
  if (const auto host = IpAddress::parse(probe.host))
    to.ip = *host;
  // From inside the pod: it answers no matter what policies say about others.
  return sandbox_->netns.run([&] {
    return probe.kind == kube::Probe::Kind::http_get
               ? probe_http(to, probe.host, probe.path, timeout)
               : probe_tcp(to, timeout);
  });
}

void PodWorker::kill_overdue() {
  for (const auto &[name, running] : running_)
    if (running.kill_at && *running.kill_at <= now())
      running.kill_all();
}

void PodWorker::renew_token() {
  if (!token_due_ || *token_due_ > now() || !pod_.automountServiceAccountToken.value_or(true))
    return;
  const auto folder = around_.sandboxes.store().folder_of(record_.uid) + "/serviceaccount";
  auto renewed = around_.access.write_service_account(pod_, folder);
  if (!renewed)
    log::log_warning("cannot renew a token; the pod keeps the old one",
                     {{"pod", key_of(pod_).str()}, {"error", renewed.error()}});
  token_due_ = renewed ? *renewed : now() + kLongestRetry;
}

// ---- the end -----------------------------------------------------------------------------------

void PodWorker::begin_to_leave() {
  leaving_ = true;
  const auto grace =
      seconds(pod_.metadata.deletionGracePeriodSeconds.value_or(record_.grace_seconds));
  for (auto &[name, running] : running_) {
    running.signal(SIGTERM);
    running.kill_at = now() + grace;
  }
  log::log_info("stopping a pod", {{"pod", key_of(pod_).str()},
                                   {"grace_s", static_cast<std::int64_t>(grace.count())}});
}

bool PodWorker::release_sandbox() {
  if (!sandbox_ && record_.netns.empty())
    return true;
  sandbox_.reset();
  if (auto removed = around_.sandboxes.remove(record_); !removed) {
    log::log_warning("cannot remove the pod's sandbox yet",
                     {{"pod", key_of(pod_).str()}, {"error", removed.error()}});
    around_.reports.event(pod_, "Warning", "FailedKillPod", removed.error().what());
    return false;
  }
  record_.netns.clear();
  record_.cni_list.clear();
  record_.cni_result.clear();
  save();
  return true;
}

/// Tries until nothing is left: an address that is not given back is lost to the node.
void PodWorker::tear_down() {
  for (seconds pause{1};; pause = std::min(pause * 2, kLongestRetry)) {
    auto ended = kernel::destroy_cgroup(pod_cgroup(), kCgroupPatience);
    if (ended && release_sandbox())
      break;
    const auto again = now() + pause;
    while (goal_ != Goal::abandon && now() < again)
      wait_until(again);
    if (goal_ == Goal::abandon)
      return;
  }
  if (auto removed = around_.sandboxes.store().remove(record_.uid); !removed)
    log::log_warning("cannot remove the pod's folder",
                     {{"pod", key_of(pod_).str()}, {"error", removed.error()}});
}

// ---- small things ------------------------------------------------------------------------------

const kube::Container &PodWorker::spec_of(ContainerRef ref) const {
  return ref.init ? pod_.initContainers[ref.index] : pod_.containers[ref.index];
}

ContainerState &PodWorker::state_of(ContainerRef ref) {
  return ref.init ? record_.state.init[ref.index] : record_.state.containers[ref.index];
}

std::string PodWorker::pod_cgroup() const { return around_.cgroup + "/" + record_.uid; }

std::string PodWorker::container_cgroup(const std::string &name) const {
  return pod_cgroup() + "/" + name;
}

PodContext PodWorker::context() const {
  PodContext context;
  context.node_name = around_.node_name;
  context.path = around_.path;
  context.node_ips = around_.node_ips;
  context.pod_ips = record_.state.ips;
  return context;
}

void PodWorker::publish(const std::string &waiting_message) {
  StatusContext context{around_.node_ips, record_.sandbox_id, true, "", ""};
  if (!sandbox_ && !is_over(pod_, record_.state) && !leaving_) {
    context.sandbox_ready = false;
    context.waiting_reason = "ContainerCreating";
    context.waiting_message = waiting_message;
  }
  auto patch = status_patch(pod_, record_.state, context, now());
  patch["metadata"]["uid"] = record_.uid;
  pod_.conditions.clear();
  for (const auto &entry : patch["status"]["conditions"])
    pod_.conditions.push_back(
        {entry["type"], entry["status"], "", "", entry["lastTransitionTime"]});
  auto text = patch.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text == published_)
    return;
  published_ = text;
  around_.reports.status(key_of(pod_), record_.uid, std::move(text));
}

void PodWorker::save() {
  if (auto saved = around_.sandboxes.store().save(record_); !saved)
    log::log_warning("cannot remember the pod's state",
                     {{"pod", key_of(pod_).str()}, {"error", saved.error()}});
}

} // namespace sluice::podlet
