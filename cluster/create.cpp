#include "cluster/cluster.hpp"

#include "cluster/daemons.hpp"
#include "cluster/host_socket.hpp"
#include "cluster/lock.hpp"
#include "cluster/node_files.hpp"
#include "cluster/ready.hpp"
#include "cluster/state.hpp"
#include "cluster/underlay.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/files.hpp"
#include "kernel/netns.hpp"
#include "kernel/spawn.hpp"
#include "kernel/sysctl.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace sluice::cluster {
namespace {

using Clock = std::chrono::steady_clock;
using kernel::NetNs;

/// The parents of what we make may be removed by a `delete` of another cluster just then.
template <class Fn> auto retry_while_not_found(Fn fn) -> decltype(fn()) {
  auto result = fn();
  for (int attempt = 0; !result && result.error().code() == Errc::not_found && attempt < 10;
       ++attempt)
    result = fn();
  return result;
}

Result<UniqueFd> open_log(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd)
    return fail(Error::from_errno(errno, "open \"" + path + "\""));
  return fd;
}

/// One creation, step by step; each step leaves nothing that `remove_cluster` does not find.
class Creation {
public:
  Creation(const Place &place, const CreateOptions &options, Plan plan)
      : place_(place), options_(options), plan_(std::move(plan)),
        paths_(Paths::of(plan_.name, place.root)), deadline_(Clock::now() + options.deadline) {}

  Result<> check() const {
    if (::geteuid() != 0)
      return fail(Errc::no_permission, "making network namespaces needs root; try sudo");
    for (const auto &program : needed_programs())
      if (::access((place_.bin_folder + "/" + program).c_str(), X_OK) != 0)
        return fail(Errc::not_found, "\"" + program + "\" is not in " + place_.bin_folder +
                                         "; build all of Sluice first");
    return {};
  }

  /// Atomic: of two creations with one name, one gets already_exists here.
  Result<FolderLock> claim() {
    auto made = retry_while_not_found([this]() -> Result<> {
      if (auto root = kernel::make_folders(place_.root); !root)
        return root;
      return kernel::make_folder(paths_.cluster, 0700);
    });
    if (!made && made.error().code() == Errc::already_exists)
      return fail(Errc::already_exists,
                  "a cluster of this name exists; remove it with: sluicectl cluster delete " +
                      plan_.name);
    if (!made)
      return fail(std::move(made.error()));
    return FolderLock::take(paths_.cluster);
  }

  Result<> run() {
    SLUICE_TRY(write_state(""), "begin");
    SLUICE_TRY(step("network", [this] { return make_network(); }), "make the network");
    SLUICE_TRY(step("control plane", [this] { return start_control_plane(); }),
               "start the control plane");
    for (std::size_t i = 0; i < plan_.nodes.size(); ++i)
      SLUICE_TRY(step(plan_.nodes[i].name + " started", [this, i] { return start_node(i); }),
                 "start " + plan_.nodes[i].name);
    for (const auto &node : plan_.nodes)
      SLUICE_TRY(step(node.name + " ready",
                      [&] { return wait_for_node(paths_.kubeconfig, node.name, deadline_); }),
                 "wait until " + node.name + " is Ready (its logs: " + paths_.node_run(node.name) +
                     "/sluice/log)");
    return write_state(utc_now());
  }

  Created created() const { return {paths_, api_port_}; }

private:
  template <class Fn> Result<> step(const std::string &name, Fn fn) {
    const auto start = Clock::now();
    auto result = fn();
    if (result && options_.progress)
      options_.progress(
          name, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start));
    return result;
  }

  Result<NetNs> make_netns(const std::string &name) const {
    return retry_while_not_found([&] { return NetNs::create_named("/run/netns/" + name); });
  }

  Result<> make_network() {
    SLUICE_ASSIGN(auto fabric, make_netns(plan_.fabric_netns_name), "fabric namespace");
    fabric_ = std::move(fabric);
    std::vector<int> fds;
    for (const auto &node : plan_.nodes) {
      SLUICE_ASSIGN(auto netns, make_netns(node.netns_name), "namespace of " + node.name);
      fds.push_back(netns.fd());
      nodes_.push_back(std::move(netns));
    }
    SLUICE_TRY(apply_in(*fabric_, plan_fabric(plan_, fds)), "fabric");
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      SLUICE_TRY(nodes_[i].run([] { return prepare_node_sysctls(); }), plan_.nodes[i].name);
      SLUICE_TRY(apply_in(nodes_[i], plan_node_links(plan_, plan_.nodes[i])), plan_.nodes[i].name);
    }
    return {};
  }

  static Result<> apply_in(const NetNs &netns, const kernel::RtnlBatch &batch) {
    auto socket = netns.run([] { return kernel::RtnlSocket::open(); });
    if (!socket)
      return fail(std::move(socket.error()));
    return socket->apply(batch);
  }

  /// What the administrator of a node does before Kubernetes comes: it forwards packets.
  static Result<> prepare_node_sysctls() {
    const kernel::Sysctl sysctl;
    SLUICE_TRY(sysctl.write("net/ipv4/ip_forward", "1"), "forward IPv4");
    auto v6 = sysctl.write("net/ipv6/conf/all/forwarding", "1");
    if (!v6 && v6.error().code() != Errc::not_found) // a kernel without IPv6
      return v6;
    return {};
  }

  Result<> start_control_plane() {
    SLUICE_TRY(kernel::make_folders(paths_.control_plane + "/log"), "prepare");
    SLUICE_TRY(kernel::make_folders(paths_.control_plane + "/hold"), "prepare");
    SLUICE_TRY(kernel::make_folders(paths_.control_plane + "/data", 0700), "prepare");
    SLUICE_ASSIGN(auto socket, listen_on_loopback(options_.api_port), "listen for kubectl");
    SLUICE_ASSIGN(api_port_, port_of(socket), "listen for kubectl");
    const SocketAddress outside{IpAddress::from_v4(0x7f000001), api_port_};
    SLUICE_TRY(kernel::write_file(paths_.control_plane + "/supervisor.json",
                                  to_json(control_plane_daemons(plan_, paths_, place_.bin_folder))),
               "prepare");
    kernel::SpawnOptions options;
    options.stdin_fd = socket.get();
    options.netns_fd = fabric_->fd();
    SLUICE_TRY(start_supervisor("controlplane", paths_.control_plane, paths_.control_plane,
                                std::move(options)),
               "supervisor");
    // It makes its certificate authority when it starts, and no kubeconfig is made before.
    SLUICE_TRY(wait_for_file(paths_.control_plane + "/data/admin.conf", deadline_),
               "certificates (its log: " + paths_.control_plane + "/log)");
    SLUICE_TRY(make_kubeconfig("kubernetes-admin", "system:masters", outside, paths_.kubeconfig),
               "kubeconfig for people");
    return wait_for_api(paths_.kubeconfig, deadline_);
  }

  Result<> start_node(std::size_t index) {
    const auto &node = plan_.nodes[index];
    const auto run = paths_.node_run(node.name) + "/sluice";
    SLUICE_TRY(make_node_folders(paths_, node, place_.bin_folder), "prepare");
    SLUICE_TRY(
        make_kubeconfig("system:node:" + node.name, "system:nodes", plan_.api, run + "/kubeconfig"),
        "kubeconfig");
    SLUICE_ASSIGN(const auto cgroup, cgroup_path(node.name), "cgroup");
    SLUICE_TRY(kernel::write_file(run + "/supervisor.json",
                                  to_json(node_daemons(plan_, node, {place_.bin_folder, cgroup}))),
               "prepare");
    SLUICE_ASSIGN(const auto mounts, make_node_mounts(paths_, node, nodes_[index]), "mounts");
    kernel::SpawnOptions options;
    options.netns_fd = nodes_[index].fd();
    options.mount_ns_fd = mounts.fd();
    options.hostname = node.name;
    return start_supervisor(node.name + "/daemons", run, "/run/sluice", std::move(options));
  }

  /// `folder` is the supervisor's as we see it, `inside` as it sees it.
  Result<> start_supervisor(const std::string &member, const std::string &folder,
                            const std::string &inside, kernel::SpawnOptions options) const {
    SLUICE_ASSIGN(const auto path, cgroup_path(member), "cgroup");
    SLUICE_ASSIGN(const auto cgroup,
                  retry_while_not_found([&] { return kernel::Cgroup::create(path); }), "cgroup");
    SLUICE_ASSIGN(const auto log, open_log(folder + "/log/supervisor.log"), "log");
    options.argv = {place_.bin_folder + "/sluicectl", "cluster", "supervise", inside};
    options.environment = {"PATH=" + place_.bin_folder + ":" + place_.path, "HOME=/root"};
    options.stdout_fd = options.stderr_fd = log.get();
    options.cgroup_fd = cgroup.fd();
    options.working_directory = "/";
    options.new_session = true;
    if (auto child = kernel::spawn(options); !child)
      return fail(std::move(child.error()));
    return {};
  }

  Result<std::string> cgroup_path(const std::string &member) const {
    SLUICE_ASSIGN(const auto cgroup2, kernel::find_cgroup2(), "find cgroup2");
    return member_cgroup(cgroup_of(cgroup2, plan_.name), member);
  }

  Result<> make_kubeconfig(const std::string &user, const std::string &group,
                           const SocketAddress &server, const std::string &file) const {
    kernel::SpawnOptions options;
    options.argv = kubeconfig_command(paths_, place_.bin_folder, user, group, server);
    SLUICE_ASSIGN(const auto output,
                  kernel::run_program(std::move(options), "", std::chrono::seconds(30)),
                  "make a kubeconfig");
    if (!output.status.success())
      return fail(Errc::unavailable, "sluice-controlplane kubeconfig " + output.status.str() +
                                         ": " + output.stderr_text);
    return kernel::write_file(file, output.stdout_text, 0600);
  }

  /// Without a time it is a cluster that is not finished.
  Result<> write_state(const std::string &created) const {
    State state{plan_.name, created, api_port_, {}};
    for (const auto &node : plan_.nodes)
      state.nodes.push_back(node.name);
    return kernel::write_file(paths_.state, to_json(state));
  }

  const Place &place_;
  const CreateOptions &options_;
  Plan plan_;
  Paths paths_;
  Clock::time_point deadline_;
  std::optional<NetNs> fabric_;
  std::vector<NetNs> nodes_;
  Port api_port_{0};
};

} // namespace

Result<Created> create_cluster(const Place &place, const CreateOptions &options) {
  const auto doing = "create cluster \"" + options.cluster.name + "\"";
  SLUICE_ASSIGN(auto plan, plan_cluster(options.cluster), doing);
  Creation creation(place, options, std::move(plan));
  SLUICE_TRY(creation.check(), doing);
  SLUICE_ASSIGN(auto lock, creation.claim(), doing);
  if (auto made = creation.run(); !made) {
    lock.release();
    auto removed = remove_cluster(place, options.cluster.name);
    auto error = std::move(made.error()).in(doing);
    if (!removed)
      return fail(error.code(),
                  error.what() + "; and undoing it failed: " + removed.error().what());
    return fail(std::move(error));
  }
  return creation.created();
}

} // namespace sluice::cluster
