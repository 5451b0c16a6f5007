#include "cluster/cluster.hpp"

#include "cluster/exec.hpp"
#include "cluster/state.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/files.hpp"
#include "net/unique_fd.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <sched.h>
#include <unistd.h>

namespace sluice::cluster {
namespace {

struct PodPlace {
  std::string key, folder, cgroup; ///< "default/web-1"; the folder as its node sees it
};

/// Namespaces to enter, in the order in which they must be entered.
struct Doors {
  std::vector<std::string> namespaces;
  std::string cgroup;
  std::string environment; ///< a file as proc(5) environ; empty: that of the caller
};

std::string proc(pid_t pid, const std::string &below) {
  return "/proc/" + std::to_string(pid) + "/" + below;
}

Result<pid_t> some_process_of(const std::string &cgroup, const std::string &what) {
  auto opened = kernel::Cgroup::open(cgroup);
  if (opened)
    if (auto pids = opened->pids(); pids && !pids->empty())
      return pids->front();
  return fail(Errc::not_found, what + " is not running");
}

Result<std::string> cluster_cgroup(const std::string &cluster) {
  SLUICE_ASSIGN(const auto cgroup2, kernel::find_cgroup2(), "find cgroup2");
  return cgroup_of(cgroup2, cluster);
}

Result<Doors> doors_of_node(const State &state, const std::string &node) {
  SLUICE_ASSIGN(const auto cgroup, cluster_cgroup(state.name), "find node");
  Doors doors;
  doors.cgroup = member_cgroup(cgroup, node) + "/daemons";
  SLUICE_ASSIGN(const auto pid, some_process_of(doors.cgroup, node), "find node");
  doors.namespaces = {proc(pid, "ns/net"), proc(pid, "ns/uts"), proc(pid, "ns/mnt")};
  return doors;
}

std::string unknown(const std::string &target, const std::vector<std::string> &known) {
  std::string text = "there is no \"" + target + "\"; these exist:";
  for (const auto &name : known)
    text += " " + name;
  return text;
}

/// Its first container's if that runs: it has the environment that the pod was given.
Result<pid_t> process_of_pod(const nlohmann::json &state, const std::string &cgroup,
                             const std::string &key) {
  const auto pid = state.value(nlohmann::json::json_pointer("/containers/0/pid"), -1);
  if (pid > 0 && ::access(proc(pid, "environ").c_str(), R_OK) == 0)
    return pid;
  return some_process_of(cgroup, "pod \"" + key + "\"");
}

/// A pod's state.json (podlet/store.hpp) holds its key, and the process of each container.
Result<Doors> doors_of_pod(const Place &place, const State &state, const std::string &key) {
  const auto paths = Paths::of(state.name, place.root);
  std::vector<std::string> known;
  for (const auto &node : state.nodes) {
    const auto folder = paths.node_run(node) + "/sluice/pods";
    for (const auto &uid : kernel::names_in(folder)) {
      const auto text = kernel::read_file(folder + "/" + uid + "/state.json");
      const auto document = nlohmann::json::parse(text.value_or(""), nullptr, false);
      if (!document.is_object())
        continue;
      const auto found = document.value("namespace", "") + "/" + document.value("name", "");
      known.push_back("pod/" + found);
      if (found != key)
        continue;
      SLUICE_ASSIGN(const auto cluster, cluster_cgroup(state.name), "find pod");
      Doors doors;
      doors.cgroup = member_cgroup(cluster, node) + "/pods/" + uid;
      SLUICE_ASSIGN(const auto pid, process_of_pod(document, doors.cgroup, key), "find pod");
      doors.environment = proc(pid, "environ");
      doors.namespaces = {proc(pid, "ns/net"), proc(pid, "ns/uts"), proc(pid, "ns/mnt")};
      return doors;
    }
  }
  return fail(Errc::not_found, unknown("pod/" + key, known));
}

Result<Doors> doors_of(const Place &place, const State &state, const std::string &target) {
  if (target.rfind("pod/", 0) == 0) {
    const auto key = target.substr(4);
    return doors_of_pod(place, state, key.find('/') == std::string::npos ? "default/" + key : key);
  }
  for (const auto &node : state.nodes)
    if (node == target)
      return doors_of_node(state, node);
  auto known = state.nodes;
  known.push_back("pod/NAME");
  known.push_back("pod/NAMESPACE/NAME");
  return fail(Errc::not_found, unknown(target, known));
}

Result<> enter(const Doors &doors) {
  std::vector<UniqueFd> fds;
  for (const auto &path : doors.namespaces) {
    fds.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fds.back())
      return fail(Error::from_errno(errno, "open \"" + path + "\""));
  }
  SLUICE_ASSIGN(const auto cgroup, kernel::Cgroup::open(doors.cgroup), "enter the cgroup");
  SLUICE_TRY(cgroup.add(0), "enter the cgroup");
  for (std::size_t i = 0; i < fds.size(); ++i)
    if (::setns(fds[i].get(), 0) != 0)
      return fail(Error::from_errno(errno, "enter \"" + doors.namespaces[i] + "\""));
  return {};
}

/// Sets each "NAME=value" of a text in which every entry ends with a zero byte.
void take_over(const std::string &environment) {
  for (const char *entry = environment.c_str(); *entry != '\0'; entry += std::strlen(entry) + 1)
    if (const char *equals = std::strchr(entry, '='); equals != nullptr)
      ::setenv(std::string(entry, equals).c_str(), equals + 1, 1);
}

} // namespace

Result<> exec_in_cluster(const Place &place, const std::string &cluster, const std::string &target,
                         const std::vector<std::string> &argv) {
  const auto doing = "exec in \"" + target + "\" of cluster \"" + cluster + "\"";
  SLUICE_ASSIGN(const auto state, read_state(place, cluster), doing);
  SLUICE_ASSIGN(const auto doors, doors_of(place, state, target), doing);
  const auto environment =
      doors.environment.empty() ? std::string() : kernel::read_file(doors.environment).value_or("");
  SLUICE_TRY(enter(doors), doing);
  // The programs of Sluice are found first, as the pods find them.
  ::setenv("PATH", (place.bin_folder + ":" + place.path).c_str(), 1);
  take_over(environment);
  SLUICE_TRY(exec_program(argv), doing);
  return {};
}

} // namespace sluice::cluster
