#pragma once
// Which programs make a node and a control plane, with their flags. Pure.

#include "cluster/plan.hpp"
#include "cluster/supervisor.hpp"

namespace sluice::cluster {

/// What a node's processes see: paths inside its mount namespace.
struct NodeView {
  std::string bin_folder;
  std::string cgroup; ///< of the node; the pods go to "pods" below it
};

std::vector<Daemon> node_daemons(const Plan &plan, const NodePlan &node, const NodeView &view);

/// Run with the listening socket of the machine's loopback as descriptor 0.
std::vector<Daemon> control_plane_daemons(const Plan &plan, const Paths &paths,
                                          const std::string &bin_folder);

/// Prints a kubeconfig: `group` may be empty.
std::vector<std::string> kubeconfig_command(const Paths &paths, const std::string &bin_folder,
                                            const std::string &user, const std::string &group,
                                            const SocketAddress &server);

/// Programs that must be in `bin_folder`.
std::vector<std::string> needed_programs();

} // namespace sluice::cluster
