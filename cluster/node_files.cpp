#include "cluster/node_files.hpp"

#include "kernel/files.hpp"

#include <cerrno>
#include <unistd.h>

namespace sluice::cluster {
namespace {

/// A folder of the machine on which a node may make new names.
struct Scratch {
  const char *folder, *name;
};
constexpr Scratch kScratch[] = {{"/etc", "etc"}, {"/opt", "opt"}, {"/var/lib", "var-lib"}};

/// A folder that is the node's own from the start, whatever the machine has there.
struct Private {
  const char *folder, *name;
};
constexpr Private kPrivate[] = {{"/var/lib/sluice", "sluice"},
                                {"/var/lib/cni", "cni"},
                                {"/etc/cni/net.d", "net.d"},
                                {"/opt/cni/bin", "cni-bin"}};

constexpr const char *kCniPrograms[] = {"sluice", "sluice-ipam"};

Result<> link_cni_programs(const std::string &folder, const std::string &bin_folder) {
  for (const std::string name : kCniPrograms) {
    const auto target = bin_folder + "/" + name;
    const auto link = folder + "/" + name;
    if (::symlink(target.c_str(), link.c_str()) != 0)
      return fail(Error::from_errno(errno, "link \"" + link + "\""));
  }
  return {};
}

Result<> mount_scratch(const std::string &node_folder, const Scratch &scratch) {
  const auto base = node_folder + "/scratch/" + scratch.name;
  return kernel::mount_filesystem("overlay", scratch.folder,
                                  std::string("lowerdir=") + scratch.folder + ",upperdir=" + base +
                                      ".upper,workdir=" + base + ".work");
}

Result<> mount_private(const std::string &node_folder, const Private &folder) {
  SLUICE_TRY(kernel::make_folders(folder.folder), "make mount point");
  return kernel::bind_mount(node_folder + "/private/" + folder.name, folder.folder);
}

/// A new sysfs shows the network namespace it is mounted in; the cgroup trees move over to it.
Result<> mount_sys(const std::string &node_folder) {
  const auto aside = node_folder + "/cgroup";
  SLUICE_TRY(kernel::bind_mount("/sys/fs/cgroup", aside, kernel::Bind::recursive), "keep cgroups");
  SLUICE_TRY(kernel::mount_filesystem("sysfs", "/sys"), "mount sysfs");
  SLUICE_TRY(kernel::bind_mount(aside, "/sys/fs/cgroup", kernel::Bind::recursive), "mount cgroups");
  SLUICE_TRY(kernel::unmount_tree(aside), "let go of the cgroups aside");
  return kernel::mount_filesystem("bpf", "/sys/fs/bpf", "mode=0700");
}

/// Read before /etc is covered: the machine's file may be a mount or a link into /run.
struct EtcFiles {
  std::string hosts, resolv_conf;
  static EtcFiles read() {
    return {kernel::read_file("/etc/hosts").value_or("127.0.0.1 localhost\n"),
            kernel::read_file("/etc/resolv.conf").value_or("")};
  }
  Result<> write(const NodePlan &node) const {
    std::string names = hosts;
    if (!names.empty() && names.back() != '\n')
      names += '\n';
    for (const auto &address : node.addresses)
      names += address.ip.str() + " " + node.name + "\n";
    SLUICE_TRY(kernel::write_file("/etc/hosts", names), "host names");
    SLUICE_TRY(kernel::write_file("/etc/resolv.conf", resolv_conf), "resolver");
    return kernel::write_file("/etc/hostname", node.name + "\n");
  }
};

Result<> arrange(const Paths &paths, const NodePlan &node) {
  const auto folder = paths.node(node.name);
  const auto etc = EtcFiles::read();
  for (const auto &scratch : kScratch)
    SLUICE_TRY(mount_scratch(folder, scratch), std::string("make a scratch ") + scratch.folder);
  for (const auto &own : kPrivate)
    SLUICE_TRY(mount_private(folder, own), std::string("make a private ") + own.folder);
  SLUICE_TRY(etc.write(node), "write /etc");
  SLUICE_TRY(mount_sys(folder), "make a private /sys");
  // Last, because everything above is reached through the machine's /run.
  const auto run = paths.node_run(node.name);
  for (const std::string below : {"/run/netns"})
    SLUICE_TRY(kernel::unmount_tree(below), "let go of the machine's namespaces");
  return kernel::bind_mount(run, "/run");
}

} // namespace

Result<> make_node_folders(const Paths &paths, const NodePlan &node,
                           const std::string &bin_folder) {
  const auto folder = paths.node(node.name);
  for (const std::string name : {"/run/netns", "/run/lock", "/run/sluice/log", "/run/sluice/hold",
                                 "/run/secrets/kubernetes.io/serviceaccount", "/cgroup"})
    SLUICE_TRY(kernel::make_folders(folder + name), "prepare node");
  for (const auto &scratch : kScratch)
    for (const std::string side : {".upper", ".work"})
      SLUICE_TRY(kernel::make_folders(folder + "/scratch/" + scratch.name + side), "prepare node");
  for (const auto &own : kPrivate)
    SLUICE_TRY(kernel::make_folders(folder + "/private/" + own.name), "prepare node");
  return link_cni_programs(folder + "/private/cni-bin", bin_folder);
}

Result<kernel::MountNs> make_node_mounts(const Paths &paths, const NodePlan &node,
                                         const kernel::NetNs &netns) {
  return netns.run([&] { return kernel::MountNs::create([&] { return arrange(paths, node); }); });
}

} // namespace sluice::cluster
