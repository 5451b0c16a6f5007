#include "kernel/mount.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/nsfs.h>
#include <sched.h>
#include <sstream>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace sluice::kernel {
namespace {

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

Result<> change(const std::string &path, unsigned long flags, const std::string &doing) {
  if (::mount("none", path.c_str(), nullptr, flags, nullptr) != 0)
    return fail(Error::from_errno(errno, doing + " " + quoted(path)));
  return {};
}

/// The kernel's number of the calling thread's mount namespace (ioctl_nsfs(2), from 6.11 on); 0 if
/// it does not tell.
std::uint64_t mount_ns_number() {
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(NSIO, 0x5, __u64)
#endif
  const UniqueFd fd(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  std::uint64_t number = 0;
  return fd && ::ioctl(fd.get(), NS_GET_MNTNS_ID, &number) == 0 ? number : 0;
}

/// As `unshare_mounts`, in a namespace whose number is above `number`. The kernel takes the lower
/// number for the older namespace and lets only an older one hold a bind mount of a younger one.
/// 6.18 numbers them per CPU: the CPU that numbered ours gives a higher one, whichever that was.
/// Moves the calling thread from CPU to CPU.
Result<> unshare_mounts_above(std::uint64_t number) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return fail(Error::from_errno(errno, "sched_getaffinity"));
  SLUICE_TRY(unshare_mounts(), "mounts");
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE && mount_ns_number() < number; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed))
      continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)::sched_setaffinity(0, sizeof one, &one);
    SLUICE_TRY(unshare_mounts(), "mounts");
  }
  (void)::sched_setaffinity(0, sizeof allowed, &allowed);
  return {};
}

/// proc(5): blank, tab, newline and backslash are written as \ooo.
std::string unescaped(const std::string &text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool is_at_or_below(const std::string &path, const std::string &folder) {
  return folder == "/" || path == folder ||
         (path.size() > folder.size() && path.compare(0, folder.size(), folder) == 0 &&
          path[folder.size()] == '/');
}

/// Without "." and a slash at the end, as mountinfo has it.
std::string normal(const std::string &path) {
  auto text = std::filesystem::path(path).lexically_normal().string();
  if (text.size() > 1 && text.back() == '/')
    text.pop_back();
  return text;
}

} // namespace

Result<> make_mounts_private(const std::string &path) {
  return change(path, MS_REC | MS_PRIVATE, "make private the mounts at");
}

Result<> make_mounts_slave(const std::string &path) {
  return change(path, MS_REC | MS_SLAVE, "make slaves the mounts at");
}

Result<> bind_mount(const std::string &source, const std::string &target, Bind bind) {
  unsigned long flags = MS_BIND;
  if (bind == Bind::recursive)
    flags |= MS_REC;
  if (::mount(source.c_str(), target.c_str(), nullptr, flags, nullptr) != 0)
    return fail(Error::from_errno(errno, "bind mount " + quoted(source) + " to " + quoted(target)));
  return {};
}

Result<> remount_read_only(const std::string &target) {
  return change(target, MS_REMOUNT | MS_BIND | MS_RDONLY, "make read-only the mount at");
}

Result<> mount_filesystem(const std::string &type, const std::string &target,
                          const std::string &options) {
  if (::mount(type.c_str(), target.c_str(), type.c_str(), MS_NOSUID | MS_NODEV,
              options.empty() ? nullptr : options.c_str()) != 0)
    return fail(Error::from_errno(errno, "mount " + type +
                                             (options.empty() ? "" : " (" + options + ")") +
                                             " at " + quoted(target)));
  return {};
}

Result<std::vector<std::string>> mounts_below(const std::string &path,
                                              const std::string &mountinfo) {
  std::ifstream file(mountinfo);
  if (!file)
    return fail(Errc::io, "read " + quoted(mountinfo));
  const auto folder = normal(path);
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    if (auto plain = unescaped(point); fields && is_at_or_below(plain, folder))
      found.push_back(std::move(plain));
  }
  // The later a mount was made, the deeper it lies.
  std::reverse(found.begin(), found.end());
  return found;
}

Result<> unmount_tree(const std::string &path) {
  SLUICE_ASSIGN(const auto points, mounts_below(path), "unmount all below " + quoted(path));
  for (const auto &point : points)
    // EINVAL, ENOENT: it went away with another one.
    if (::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL &&
        errno != ENOENT)
      return fail(Error::from_errno(errno, "unmount " + quoted(point)));
  return {};
}

Result<> unshare_mounts() {
  if (::unshare(CLONE_NEWNS) != 0)
    return fail(Error::from_errno(errno, "unshare(CLONE_NEWNS)"));
  return make_mounts_private("/");
}

Result<MountNs> MountNs::create(const std::function<Result<>()> &arrange) {
  Result<MountNs> made = fail(Errc::kernel, "no namespace");
  const auto own_number = mount_ns_number();
  std::thread([&] {
    if (auto unshared = unshare_mounts_above(own_number); !unshared)
      made = fail(std::move(unshared.error()));
    else if (auto arranged = arrange(); !arranged)
      made = fail(std::move(arranged.error()));
    else
      made = open("/proc/thread-self/ns/mnt");
  }).join();
  if (!made)
    return fail(Error(made.error()).in("create a mount namespace"));
  return made;
}

Result<MountNs> MountNs::open(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd)
    return fail(Error::from_errno(errno, "open mount namespace " + quoted(path)));
  return MountNs(std::move(fd));
}

Result<> MountNs::run(const std::function<Result<>()> &fn) const {
  Result<> result;
  std::thread([&] {
    // A thread that shares its root and working directory may not change its mounts.
    if (::unshare(CLONE_FS) != 0 || ::setns(fd_.get(), CLONE_NEWNS) != 0)
      result = fail(Error::from_errno(errno, "enter a mount namespace"));
    else
      result = fn();
  }).join();
  return result;
}

Result<> MountNs::keep(const std::string &path) const {
  const auto doing = "keep a mount namespace at " + quoted(path);
  if (UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)); !file)
    return fail(Error::from_errno(errno, doing));
  auto bound = bind_mount("/proc/self/fd/" + std::to_string(fd_.get()), path);
  if (!bound) {
    ::unlink(path.c_str());
    return fail(Error(bound.error()).in(doing));
  }
  return {};
}

} // namespace sluice::kernel
