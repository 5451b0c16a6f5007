#pragma once
// The folders that each node has for itself although all nodes share the machine's files.

#include "cluster/plan.hpp"
#include "kernel/mount.hpp"
#include "kernel/netns.hpp"

namespace sluice::cluster {

/// Makes the folders of a node below `Paths::node`: its /run with netns, lock and sluice, and the
/// private sides of the rest; /opt/cni/bin holds links to the CNI programs in `bin_folder`.
Result<> make_node_folders(const Paths &paths, const NodePlan &node, const std::string &bin_folder);

/// A mount namespace in which /run, /var/lib/sluice, /var/lib/cni, /etc/cni/net.d and /opt/cni/bin
/// are the node's own, /etc can be written without touching the machine's (it holds the node's
/// name), /sys shows the node's network, and /sys/fs/bpf is empty and its own. What others have
/// mounted below /run is not held.
Result<kernel::MountNs> make_node_mounts(const Paths &paths, const NodePlan &node,
                                         const kernel::NetNs &netns);

} // namespace sluice::cluster
