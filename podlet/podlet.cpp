#include "podlet/podlet.hpp"

#include "kube/daemon/log.hpp"

namespace sluice::podlet {
namespace {

namespace log = kube::daemon;

SandboxSettings sandbox_settings(const Settings &settings) {
  SandboxSettings sandbox;
  sandbox.cni_conf_dir = settings.cni_conf_dir;
  sandbox.node_name = settings.node_name;
  sandbox.node_ips = settings.node_ips;
  return sandbox;
}

/// A pod whose object is gone: enough to end it.
kube::Pod pod_of(const Record &record) {
  kube::Pod pod;
  pod.metadata.namespace_ = record.namespace_;
  pod.metadata.name = record.name;
  pod.metadata.uid = record.uid;
  pod.hostNetwork = record.host_network;
  pod.terminationGracePeriodSeconds = record.grace_seconds;
  pod.restartPolicy = "Never";
  pod.automountServiceAccountToken = false;
  pod.containers.resize(record.state.containers.size());
  pod.initContainers.resize(record.state.init.size());
  return pod;
}

} // namespace

Podlet::Podlet(kube::ApiClient &client, const Settings &settings)
    : client_(client), node_name_(settings.node_name),
      sandboxes_(sandbox_settings(settings), CniRunner(settings.cni_bin_dirs),
                 Store(settings.run_dir + "/pods")),
      reports_(client, settings.node_name),
      access_(client), surroundings_{sandboxes_,
                                     reports_,
                                     access_,
                                     settings.node_name,
                                     settings.node_ips,
                                     settings.cgroup,
                                     settings.path,
                                     [this](const std::string &uid) { mailbox_.put(PodFinished{uid}); }} {}

void Podlet::stop() { mailbox_.put(Stop{}); }

void Podlet::run() {
  const kube::Informer<kube::Pod> informer(
      client_, {"", "", "spec.nodeName=" + node_name_},
      [this](kube::Change<kube::Pod> change) { mailbox_.put(PodChanged{std::move(change)}); });
  while (!stopping_) {
    for (auto message = mailbox_.take(); message; message = mailbox_.try_take()) {
      if (auto *changed = std::get_if<PodChanged>(&*message))
        take(std::move(*changed));
      else if (const auto *finished = std::get_if<PodFinished>(&*message))
        take(*finished);
      else
        stopping_ = true;
    }
    if (synced_ && !stopping_)
      reconcile();
  }
  running_.clear();
}

void Podlet::take(PodChanged message) {
  using Kind = kube::Change<kube::Pod>::Kind;
  auto &[kind, pod] = message.change;
  switch (kind) {
  case Kind::added:
  case Kind::modified:
    desired_.insert_or_assign(pod.metadata.uid, std::move(pod));
    return;
  case Kind::deleted:
    desired_.erase(pod.metadata.uid);
    return;
  case Kind::synced:
    synced_ = true;
    adopt_what_is_here();
    return;
  }
}

void Podlet::take(const PodFinished &message) { running_.erase(message.uid); }

/// What an earlier podlet has left, now that it is known which of it is still wanted.
void Podlet::adopt_what_is_here() {
  std::vector<std::string> broken;
  for (auto &record : sandboxes_.store().load_all(broken)) {
    const auto uid = record.uid;
    const auto found = desired_.find(uid);
    auto pod = found == desired_.end() ? pod_of(record) : found->second;
    log::log_info("found a pod of an earlier run", {{"pod", record.namespace_ + "/" + record.name},
                                                    {"wanted", found != desired_.end()}});
    running_[uid] = {pod, std::make_unique<PodWorker>(pod, std::move(record), surroundings_)};
    // A way out that has begun before is gone on with.
    if (pod.metadata.deletionTimestamp)
      running_[uid].worker->update(pod);
  }
  for (const auto &uid : broken) {
    log::log_warning("removing the folder of a pod that cannot be read", {{"uid", uid}});
    (void)kernel::unmount_tree(sandboxes_.store().folder_of(uid));
    (void)sandboxes_.store().remove(uid);
  }
}

Pods Podlet::here() const {
  Pods pods;
  for (const auto &[uid, running] : running_)
    pods.emplace(uid, running.pod);
  return pods;
}

void Podlet::reconcile() {
  for (const auto &action : plan(desired_, here()))
    do_step(action);
}

void Podlet::do_step(const Action &action) {
  const auto desired = desired_.find(action.uid);
  switch (action.step) {
  case Step::begin:
    running_[action.uid] = {desired->second,
                            std::make_unique<PodWorker>(desired->second, surroundings_)};
    return;
  case Step::update:
    running_[action.uid].pod = desired->second;
    running_[action.uid].worker->update(desired->second);
    return;
  case Step::end:
    running_[action.uid].worker->forget();
    return;
  case Step::release:
    reports_.gone({desired->second.metadata.namespace_, desired->second.metadata.name}, action.uid);
    return;
  }
}

} // namespace sluice::podlet
