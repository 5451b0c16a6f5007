#include "podlet/sandbox.hpp"

#include "kernel/files.hpp"
#include "podlet/environment.hpp"

namespace sluice::podlet {
namespace {

constexpr const char *kSecrets = "/run/secrets/kubernetes.io/serviceaccount";

} // namespace

std::string hosts_text(const std::string &hostname, const std::vector<IpAddress> &ips) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  for (const auto &ip : ips)
    text += ip.str() + "\t" + hostname + "\n";
  return text;
}

Attachment Sandboxes::attachment_of(const Record &record) const {
  Attachment attachment;
  attachment.container_id = record.sandbox_id;
  attachment.netns = record.netns;
  attachment.pod_namespace = record.namespace_;
  attachment.pod_name = record.name;
  attachment.pod_uid = record.uid;
  return attachment;
}

Result<kernel::NetNs> Sandboxes::make_network(Record &record) const {
  SLUICE_ASSIGN(const auto list, load_network_list(settings_.cni_conf_dir), "network");
  record.netns = settings_.netns_dir + "/cni-" + record.sandbox_id;
  record.cni_list = to_text(list);
  SLUICE_TRY(store_.save(record), "network");
  SLUICE_ASSIGN(auto netns, kernel::NetNs::create_named(record.netns), "network namespace");
  SLUICE_ASSIGN(record.cni_result, cni_.add(list, attachment_of(record)), "network");
  record.state.ips = addresses_in(record.cni_result);
  if (record.state.ips.empty())
    return fail(Errc::invalid_input,
                "the CNI plugins of \"" + list.name + "\" gave the pod no address");
  SLUICE_TRY(store_.save(record), "network");
  return netns;
}

Result<kernel::MountNs> Sandboxes::make_mounts(const Record &record, const kube::Pod &pod,
                                               const kernel::NetNs &netns) const {
  const auto folder = store_.folder_of(record.uid);
  SLUICE_TRY(kernel::make_folders(folder + "/serviceaccount", 0755), "files of the pod");
  SLUICE_TRY(kernel::write_file(folder + "/hosts", hosts_text(hostname_of(pod, settings_.node_name),
                                                              record.state.ips)),
             "files of the pod");
  SLUICE_TRY(kernel::make_folders(kSecrets), "mount point of the service account");
  const auto arrange = [&]() -> Result<> {
    if (!record.host_network) {
      SLUICE_TRY(kernel::bind_mount(folder + "/hosts", "/etc/hosts"), "mount /etc/hosts");
      SLUICE_TRY(kernel::mount_filesystem("sysfs", "/sys"), "mount /sys");
      SLUICE_TRY(kernel::remount_read_only("/sys"), "mount /sys");
    }
    return kernel::bind_mount(folder + "/serviceaccount", kSecrets);
  };
  SLUICE_ASSIGN(auto mounts, netns.run([&] { return kernel::MountNs::create(arrange); }),
                "mount namespace");
  SLUICE_TRY(mounts.keep(folder + "/mnt"), "mount namespace");
  return mounts;
}

Result<Sandbox> Sandboxes::make(Record &record, const kube::Pod &pod) const {
  const auto undo = [&](Error error) {
    (void)remove(record);
    return fail(std::move(error));
  };
  auto netns = record.host_network ? kernel::NetNs::current() : make_network(record);
  if (!netns)
    return undo(std::move(netns.error()));
  if (record.host_network)
    record.state.ips = settings_.node_ips;
  if (auto saved = store_.save(record); !saved)
    return undo(std::move(saved.error()));
  auto mounts = make_mounts(record, pod, *netns);
  if (!mounts)
    return undo(std::move(mounts.error()));
  return Sandbox{std::move(*netns), std::move(*mounts)};
}

Result<Sandbox> Sandboxes::open(const Record &record) const {
  auto netns = record.host_network ? kernel::NetNs::current() : kernel::NetNs::open(record.netns);
  if (!netns)
    return fail(std::move(netns.error()));
  SLUICE_ASSIGN(auto mounts, kernel::MountNs::open(store_.folder_of(record.uid) + "/mnt"),
                "mount namespace");
  return Sandbox{std::move(*netns), std::move(mounts)};
}

Result<> Sandboxes::remove(const Record &record) const {
  SLUICE_TRY(kernel::unmount_tree(store_.folder_of(record.uid) + "/mnt"), "mount namespace");
  if (record.netns.empty())
    return {};
  if (!record.cni_list.empty()) {
    SLUICE_ASSIGN(const auto list, parse_network_list(record.cni_list), "network");
    SLUICE_TRY(cni_.remove(list, attachment_of(record), record.cni_result), "detach");
  }
  return kernel::NetNs::remove_named(record.netns);
}

} // namespace sluice::podlet
