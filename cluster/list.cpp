#include "cluster/cluster.hpp"

#include "cluster/state.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/files.hpp"

namespace sluice::cluster {
namespace {

bool has_processes(const std::string &cgroup) {
  const auto opened = kernel::Cgroup::open(cgroup);
  if (!opened)
    return false;
  const auto pids = opened->pids();
  return pids && !pids->empty();
}

ClusterInfo describe(const Place &place, const std::string &name, const std::string &cgroup2) {
  ClusterInfo info;
  info.name = name;
  const auto state = read_state(place, name);
  if (!state)
    return info;
  info.created = state->created;
  info.api_port = state->api_port;
  const auto cgroup = cgroup_of(cgroup2, name);
  info.members.push_back({"control plane", has_processes(member_cgroup(cgroup, "controlplane"))});
  for (const auto &node : state->nodes)
    info.members.push_back({node, has_processes(member_cgroup(cgroup, node) + "/daemons")});
  return info;
}

} // namespace

std::vector<ClusterInfo> list_clusters(const Place &place) {
  std::vector<ClusterInfo> clusters;
  const auto cgroup2 = kernel::find_cgroup2().value_or("");
  for (const auto &name : kernel::names_in(place.root))
    clusters.push_back(describe(place, name, cgroup2));
  return clusters;
}

Result<std::string> read_cluster_kubeconfig(const Place &place, const std::string &name) {
  SLUICE_ASSIGN(const auto state, read_state(place, name), "kubeconfig");
  return kernel::read_file(Paths::of(state.name, place.root).kubeconfig);
}

} // namespace sluice::cluster
