#pragma once
// The agent of a node that runs its pods: one loop that compares the API's pods of this node with
// those that run here (podlet/plan.hpp) and gives each its worker.

#include "kube/api_client.hpp"
#include "kube/informer.hpp"
#include "net/mailbox.hpp"
#include "podlet/plan.hpp"
#include "podlet/worker.hpp"

#include <memory>

namespace sluice::podlet {

struct Settings {
  std::string node_name;
  std::vector<IpAddress> node_ips;
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::vector<std::string> cni_bin_dirs{"/opt/cni/bin"};
  std::string run_dir = "/run/sluice";
  std::string cgroup; ///< a folder of cgroup2 for the pods
  std::string path;   ///< PATH of the containers
};

class Podlet {
public:
  Podlet(kube::ApiClient &client, const Settings &settings);

  /// Until `stop`; then the pods are left running for the next podlet.
  void run();
  /// From any thread.
  void stop();

private:
  struct PodChanged {
    kube::Change<kube::Pod> change;
  };
  struct PodFinished {
    std::string uid;
  };
  struct Stop {};
  using Message = std::variant<PodChanged, PodFinished, Stop>;

  void take(PodChanged message);
  void take(const PodFinished &message);
  void reconcile();
  void do_step(const Action &action);
  void adopt_what_is_here();
  Pods here() const;

  struct Running {
    kube::Pod pod; ///< as it was last told to the worker
    std::unique_ptr<PodWorker> worker;
  };

  kube::ApiClient &client_;
  std::string node_name_;
  Sandboxes sandboxes_;
  ApiReports reports_;
  ClusterAccess access_;
  Mailbox<Message> mailbox_;
  Surroundings surroundings_;
  Pods desired_;
  bool synced_ = false, stopping_ = false;
  std::map<std::string, Running> running_; ///< by uid
};

} // namespace sluice::podlet
