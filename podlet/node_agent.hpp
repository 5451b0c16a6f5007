#pragma once
// Keeps the Node object and its Lease as kubelet keeps them: registered with addresses and
// capacity, Ready once there is a CNI configuration, alive by a Lease renewed every 10 s.

#include "kube/api_client.hpp"
#include "podlet/pod_status.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace sluice::podlet {

/// Kernel, memory, processors and so on of this machine.
NodeFacts read_node_facts(std::string name, std::vector<IpAddress> ips);

/// Runs on a thread of its own until destruction. `client` outlives it.
class NodeAgent {
public:
  NodeAgent(kube::ApiClient &client, NodeFacts facts, std::string cni_conf_dir);
  ~NodeAgent();

private:
  void run();
  Result<> report();
  Result<> renew_lease();
  std::string why_not_ready() const;
  /// False when it is time to end.
  bool sleep(std::chrono::milliseconds time);

  kube::ApiClient &client_;
  NodeFacts facts_;
  std::string cni_conf_dir_;
  std::mutex mutex_; ///< guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::podlet
