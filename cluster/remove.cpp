#include "cluster/cluster.hpp"

#include "cluster/lock.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/files.hpp"
#include "kernel/mount.hpp"
#include "kernel/netns.hpp"

#include <sys/stat.h>

namespace sluice::cluster {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr const char *kNetnsFolder = "/run/netns";

bool exists(const std::string &path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::vector<std::string> netns_of(const std::string &cluster) {
  std::vector<std::string> paths;
  for (const auto &name : kernel::names_in(kNetnsFolder))
    if (is_netns_of(name, cluster))
      paths.push_back(std::string(kNetnsFolder) + "/" + name);
  return paths;
}

/// Processes first: while one lives, it can make again what is removed behind it.
Result<> remove_all(const Paths &paths, const std::string &cgroup,
                    const std::vector<std::string> &netns) {
  SLUICE_TRY(kernel::destroy_cgroup(cgroup, kPatience), "end its processes");
  for (const auto &path : netns)
    SLUICE_TRY(kernel::NetNs::remove_named(path), "remove its namespaces");
  SLUICE_TRY(kernel::unmount_tree(paths.cluster), "remove its mounts");
  return kernel::remove_tree(paths.cluster);
}

} // namespace

Result<bool> remove_cluster(const Place &place, const std::string &name) {
  const auto doing = "delete cluster \"" + name + "\"";
  SLUICE_TRY(check_cluster_name(name), doing);
  const auto paths = Paths::of(name, place.root);
  SLUICE_ASSIGN(const auto cgroup2, kernel::find_cgroup2(), doing);
  const auto cgroup = cgroup_of(cgroup2, name);
  const auto netns = netns_of(name);
  const bool was_there = exists(paths.cluster) || exists(cgroup) || !netns.empty();
  if (!was_there)
    return false;

  auto lock = FolderLock::take(paths.cluster, kPatience);
  if (!lock && lock.error().code() != Errc::not_found)
    return fail(std::move(lock.error()).in(doing));
  SLUICE_TRY(remove_all(paths, cgroup, netns), doing);

  // The folders above are for all clusters: the last one takes them along.
  kernel::remove_folder_if_empty(place.root);
  kernel::remove_folder_if_empty(place.root.substr(0, place.root.rfind('/')));
  kernel::remove_folder_if_empty(cgroup2 + "/sluice-clusters");
  kernel::remove_folder_if_empty(kNetnsFolder);
  return true;
}

} // namespace sluice::cluster
