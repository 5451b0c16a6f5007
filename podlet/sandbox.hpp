#pragma once
// The namespaces of a pod: network (with its CNI attachment) and mounts. Every step can be undone
// from the record alone, also by a podlet that did not make it.

#include "kernel/mount.hpp"
#include "kernel/netns.hpp"
#include "podlet/cni_list.hpp"
#include "podlet/store.hpp"

namespace sluice::podlet {

struct SandboxSettings {
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::string netns_dir = "/run/netns";
  std::string node_name;
  std::vector<IpAddress> node_ips;
};

/// What containers are started in.
struct Sandbox {
  kernel::NetNs netns;
  kernel::MountNs mounts;
};

class Sandboxes {
public:
  Sandboxes(SandboxSettings settings, CniRunner cni, Store store)
      : settings_(std::move(settings)), cni_(std::move(cni)), store_(std::move(store)) {}

  /// Makes the namespaces and runs CNI ADD; fills netns, CNI result and addresses of the record and
  /// saves it after each step that must be undone. What a failure has left is undone here.
  Result<Sandbox> make(Record &record, const kube::Pod &pod) const;
  /// Opens what `make` made before this podlet was started.
  Result<Sandbox> open(const Record &record) const;
  /// CNI DEL, then the namespaces. Fine if some or all of it is gone.
  Result<> remove(const Record &record) const;
  const Store &store() const noexcept { return store_; }

private:
  Result<kernel::NetNs> make_network(Record &record) const;
  Result<kernel::MountNs> make_mounts(const Record &record, const kube::Pod &pod,
                                      const kernel::NetNs &netns) const;
  Attachment attachment_of(const Record &record) const;

  SandboxSettings settings_;
  CniRunner cni_;
  Store store_;
};

/// The text of /etc/hosts in a pod. Pure.
std::string hosts_text(const std::string &hostname, const std::vector<IpAddress> &ips);

} // namespace sluice::podlet
