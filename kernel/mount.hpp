#pragma once
// Mounts and mount namespaces. Everything acts in the mount namespace of the calling thread.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sluice::kernel {

/// The mount at `path` and all below it neither send nor receive mount events (MS_REC|MS_PRIVATE).
Result<> make_mounts_private(const std::string &path);
/// As above, but still receives (MS_REC|MS_SLAVE).
Result<> make_mounts_slave(const std::string &path);

enum class Bind : std::uint8_t { single, recursive };
/// `source` appears at `target` too. `target` must exist and be of the same sort (file or folder).
Result<> bind_mount(const std::string &source, const std::string &target, Bind bind = Bind::single);
/// The bind mount at `target` can be read only from now on.
Result<> remount_read_only(const std::string &target);
/// `type` as in /proc/filesystems ("tmpfs", "sysfs", "bpf", "cgroup2"); `options` as mount -o gives
/// them to the file system ("mode=0755,size=16m"). nosuid and nodev are always set.
Result<> mount_filesystem(const std::string &type, const std::string &target,
                          const std::string &options = "");
inline Result<> mount_tmpfs(const std::string &target, const std::string &options = "mode=0755") {
  return mount_filesystem("tmpfs", target, options);
}
/// Where something is mounted, at `path` or below it, deepest first. The same path appears once for
/// each mount stacked there. `mountinfo` is another file in tests.
Result<std::vector<std::string>>
mounts_below(const std::string &path, const std::string &mountinfo = "/proc/thread-self/mountinfo");
/// Detaches everything mounted at `path` and below it (MNT_DETACH). No error if there is nothing.
Result<> unmount_tree(const std::string &path);

/// The calling process gets a mount namespace of its own, all mounts private. Only while it has one
/// thread (a thread of several would leave its siblings' root and working directory).
Result<> unshare_mounts();

/// Holds a mount namespace open. Move-only. Thread-safe for const use.
class MountNs {
public:
  /// A copy of the caller's mounts, made private, in which `arrange` has run (on a thread of its
  /// own; it must not throw). An error of `arrange` is the error here and leaves nothing behind.
  /// The thread inherits the caller's network namespace, which a sysfs mount shows.
  static Result<MountNs> create(const std::function<Result<>()> &arrange);
  /// /proc/<pid>/ns/mnt, or where `keep` has put it.
  static Result<MountNs> open(const std::string &path);

  /// Runs `fn` on a thread inside the namespace. `fn` must not throw.
  Result<> run(const std::function<Result<>()> &fn) const;
  /// Keeps the namespace alive by a bind mount at `path` (the file is made). `path` must lie on a
  /// private mount: mount(2) refuses a namespace that could come to contain itself (invalid_input;
  /// on 6.18 also by mistake now and then, if the caller is not in the first mount namespace).
  /// Undone by `unmount_tree(path)` and unlink(2).
  Result<> keep(const std::string &path) const;
  /// For SpawnOptions::mount_ns_fd.
  int fd() const noexcept { return fd_.get(); }

private:
  explicit MountNs(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

} // namespace sluice::kernel
