#pragma once
// Makes, lists, enters and removes clusters made of namespaces on this machine.

#include "cluster/plan.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace sluice::cluster {

/// Where a cluster is made.
struct Place {
  std::string root = "/run/sluice/clusters";
  std::string bin_folder; ///< of sluicectl, sluice-controlplane, sluice-node, ...
  std::string path;       ///< PATH of the daemons and pods; `bin_folder` is put before it
};

struct CreateOptions {
  Options cluster;
  Port api_port{0}; ///< on 127.0.0.1 of the machine; 0: any free one
  std::chrono::seconds deadline{60};
  /// A finished step, for people: "network and 2 nodes", with the time it took.
  std::function<void(const std::string &step, std::chrono::milliseconds took)> progress;
};

struct Created {
  Paths paths;
  Port api_port;
};

/// Makes a cluster and waits until all of its nodes are Ready. Needs root. A failure leaves nothing
/// behind. Errors: already_exists; timeout, naming what is missing and the folder of logs.
Result<Created> create_cluster(const Place &place, const CreateOptions &options);

/// Ends every process, then removes namespaces, cgroups and files. Works on what a killed `create`
/// left as well. False if there was nothing. Errors: busy while another process is creating it.
Result<bool> remove_cluster(const Place &place, const std::string &name);

struct MemberState {
  std::string name; ///< "control plane", "node1"
  bool running = false;
};
struct ClusterInfo {
  std::string name, created; ///< RFC 3339; empty for one that was never finished
  Port api_port{0};
  std::vector<MemberState> members;
  /// "running", "incomplete" (its creation did not end), "degraded: node2 is not running".
  std::string state() const;
};
std::vector<ClusterInfo> list_clusters(const Place &place);

/// The text of the kubeconfig. Errors: not_found, naming the clusters that exist.
Result<std::string> read_cluster_kubeconfig(const Place &place, const std::string &name);

/// Becomes `argv` inside a node ("node1") or a pod ("pod/web-1", "pod/default/web-1"): its network,
/// mounts, host name and cgroup. Returns only if that fails. Errors: not_found with the names that
/// exist. Only while the process has one thread.
Result<> exec_in_cluster(const Place &place, const std::string &cluster, const std::string &target,
                         const std::vector<std::string> &argv);

} // namespace sluice::cluster
