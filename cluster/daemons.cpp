#include "cluster/daemons.hpp"

namespace sluice::cluster {
namespace {

constexpr const char *kNodeKubeconfig = "/run/sluice/kubeconfig";

template <class List, class Text> std::string join(const List &list, Text text) {
  std::string joined;
  for (const auto &item : list)
    joined += (joined.empty() ? "" : ",") + text(item);
  return joined;
}

std::string join(const std::vector<Cidr> &cidrs) {
  return join(cidrs, [](const Cidr &cidr) { return cidr.str(); });
}

std::vector<std::string> node_argv(const Plan &plan, const NodePlan &node, const NodeView &view) {
  return {view.bin_folder + "/sluice-node",
          "--kubeconfig",
          kNodeKubeconfig,
          "--node-name",
          node.name,
          "--cluster-cidr",
          join(plan.pod_cidrs)};
}

std::vector<std::string> proxy_argv(const Plan &plan, const NodePlan &node, const NodeView &view) {
  return {view.bin_folder + "/sluice-proxy",
          "--kubeconfig",
          kNodeKubeconfig,
          "--hostname-override",
          node.name,
          "--proxy-mode",
          plan.proxy_mode,
          "--cluster-cidr",
          join(plan.pod_cidrs)};
}

std::vector<std::string> podlet_argv(const NodePlan &node, const NodeView &view) {
  std::vector<std::string> argv{view.bin_folder + "/sluice-podlet",
                                "--kubeconfig",
                                kNodeKubeconfig,
                                "--node-name",
                                node.name,
                                "--cgroup",
                                view.cgroup + "/pods"};
  for (const auto &address : node.addresses) {
    argv.push_back("--node-ip");
    argv.push_back(address.ip.str());
  }
  return argv;
}

} // namespace

std::vector<Daemon> node_daemons(const Plan &plan, const NodePlan &node, const NodeView &view) {
  return {{"sluice-node", node_argv(plan, node, view)},
          {"sluice-proxy", proxy_argv(plan, node, view)},
          {"sluice-podlet", podlet_argv(node, view)}};
}

std::vector<Daemon> control_plane_daemons(const Plan &plan, const Paths &paths,
                                          const std::string &bin_folder) {
  return {{"sluice-controlplane",
           {bin_folder + "/sluicectl", "cluster", "listen-exec", "--",
            bin_folder + "/sluice-controlplane", "--data-dir", paths.control_plane + "/data",
            "--listen", plan.api.str(), "--advertise-address", plan.api.ip.str(),
            "--advertise-port", std::to_string(plan.api.port.value), "--service-cidr",
            join(plan.service_cidrs), "--cluster-cidr", join(plan.pod_cidrs)}}};
}

std::vector<std::string> kubeconfig_command(const Paths &paths, const std::string &bin_folder,
                                            const std::string &user, const std::string &group,
                                            const SocketAddress &server) {
  std::vector<std::string> argv{bin_folder + "/sluice-controlplane",
                                "kubeconfig",
                                "--data-dir",
                                paths.control_plane + "/data",
                                "--user",
                                user,
                                "--server",
                                "https://" + server.str()};
  if (!group.empty()) {
    argv.push_back("--group");
    argv.push_back(group);
  }
  return argv;
}

std::vector<std::string> needed_programs() {
  return {"sluicectl", "sluice-controlplane", "sluice-node", "sluice-proxy", "sluice-podlet",
          "sluice",    "sluice-ipam"};
}

} // namespace sluice::cluster
