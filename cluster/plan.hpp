#pragma once
// What a cluster of namespaces looks like: every name, address and path, decided before anything is
// made. Pure, so that `delete` and `list` compute the same names as `create`.

#include "net/port.hpp"
#include "net/result.hpp"

#include <string>
#include <vector>

namespace sluice::cluster {

struct Options {
  std::string name;
  unsigned nodes = 2;
  std::vector<Family> families{Family::ipv4, Family::ipv6}; ///< the first one is primary
  std::string proxy_mode = "nftables";
};

/// "dual", "ipv4" or "ipv6", as --ip-family takes it.
Result<std::vector<Family>> parse_families(std::string_view text);

struct NodePlan {
  std::string name;       ///< "node1": in the API, as host name, and as name of the fabric's port
  std::string netns_name; ///< "slc-demo-node1"
  std::vector<InterfaceAddress> addresses; ///< of eth0, one per family
};

/// Two clusters share nothing but the machine, so all of them use the same addresses.
struct Plan {
  std::string name;
  std::string proxy_mode;
  std::string fabric_netns_name;                  ///< "slc-demo-fabric"
  std::vector<InterfaceAddress> fabric_addresses; ///< of the underlay bridge; the control plane
  std::vector<Cidr> pod_cidrs, service_cidrs;
  SocketAddress api; ///< on the underlay
  std::vector<NodePlan> nodes;
};

/// Errors: invalid_input for a name that is no DNS label or is longer than 40 characters, for no
/// node or more than 200.
Result<Plan> plan_cluster(const Options &options);

/// Also for names that `plan_cluster` has not seen: `delete` calls it with what a person typed.
Result<> check_cluster_name(std::string_view name);

/// True for the network namespaces that a cluster of that name makes: never for those of a cluster
/// whose name only begins alike.
bool is_netns_of(std::string_view netns_name, std::string_view cluster_name);

/// Everything that a cluster has on disk is below one folder.
struct Paths {
  std::string cluster;    ///< /run/sluice/clusters/demo
  std::string state;      ///< .../cluster.json
  std::string kubeconfig; ///< .../kubeconfig, for people
  std::string control_plane;

  static Paths of(const std::string &cluster_name,
                  const std::string &root = "/run/sluice/clusters");
  std::string node(const std::string &name) const { return cluster + "/nodes/" + name; }
  /// The folder that the node sees as /run.
  std::string node_run(const std::string &name) const { return node(name) + "/run"; }
};

/// The folder of cgroup2 that holds every process of a cluster.
std::string cgroup_of(const std::string &cgroup2, const std::string &cluster_name);

} // namespace sluice::cluster
