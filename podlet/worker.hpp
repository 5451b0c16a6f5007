#pragma once
// The life of one pod on this node, on a thread of its own: sandbox, containers, probes, status,
// and the way out. What to do is decided by podlet/pod_state.hpp and podlet/probe.hpp; here it is
// done.

#include "podlet/cluster_access.hpp"
#include "podlet/container.hpp"
#include "podlet/environment.hpp"
#include "podlet/inbox.hpp"
#include "podlet/reports.hpp"
#include "podlet/sandbox.hpp"

#include <functional>
#include <map>
#include <thread>

namespace sluice::podlet {

/// What all pods of a node share; outlives every worker.
struct Surroundings {
  const Sandboxes &sandboxes;
  Reports &reports;
  ClusterAccess &access;
  std::string node_name;
  std::vector<IpAddress> node_ips;
  std::string cgroup; ///< the pods' folder of cgroup2
  std::string path;   ///< PATH of the containers
  /// The worker has nothing left to do; called last, on its thread.
  std::function<void(const std::string &uid)> finished;
};

class PodWorker {
public:
  /// Begins a new pod.
  PodWorker(kube::Pod pod, Surroundings &surroundings);
  /// Goes on with one that an earlier podlet has begun.
  PodWorker(kube::Pod pod, Record record, Surroundings &surroundings);
  /// Leaves the pod as it is, running.
  ~PodWorker();

  /// Its object has changed; a deletionTimestamp begins the way out.
  void update(kube::Pod pod);
  /// Its object is gone: the way out, with nobody to tell.
  void forget();

private:
  struct Message {
    std::optional<kube::Pod> pod;
    bool forget = false, abandon = false;
  };
  enum class Goal : std::uint8_t { run, leave, forget, abandon };

  void run();
  bool prepare();
  Result<> prepare_once();
  void adopt();
  void live();
  void begin_to_leave();
  void tear_down();
  bool release_sandbox();

  void take_messages();
  void wait_until(std::optional<Time> time);
  std::optional<Time> next_time() const;

  void start_due();
  void start(ContainerRef ref);
  Result<RunningContainer> spawn(const kube::Container &spec);
  void notice_ends();
  void note_end(ContainerRef ref, const Result<kernel::ExitStatus> &status);
  void run_probes();
  void run_readiness(ContainerRef ref, RunningContainer &running);
  void run_liveness(ContainerRef ref, RunningContainer &running);
  Result<> ask(const kube::Probe &probe, const kube::Container &spec,
               const RunningContainer &running);
  void kill_overdue();
  void renew_token();

  const kube::Container &spec_of(ContainerRef ref) const;
  ContainerState &state_of(ContainerRef ref);
  std::string pod_cgroup() const;
  std::string container_cgroup(const std::string &name) const;
  PodContext context() const;
  void publish(const std::string &waiting_message = "");
  void save();

  Surroundings &around_;
  kube::Pod pod_;
  Record record_;
  bool adopted_ = false;
  Goal goal_ = Goal::run;
  bool leaving_ = false;
  std::optional<Sandbox> sandbox_;
  std::map<std::string, RunningContainer> running_; ///< by container name (unique in a pod)
  std::optional<Time> token_due_;
  std::string published_;
  Inbox<Message> inbox_;
  std::thread thread_; ///< last: it uses everything above
};

} // namespace sluice::podlet
