// Making namespaces: apart from entering them, because the CNI plugin, which is small, only enters.
#include "kernel/netns.hpp"
#include "kernel/rtnl.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <sys/mount.h>
#include <thread>

namespace sluice::kernel {
namespace {

constexpr const char *kThisThread = "/proc/thread-self/ns/net";

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

Result<> bring_loopback_up() {
  SLUICE_ASSIGN(auto rtnl, RtnlSocket::open(), "bring up the loopback");
  return rtnl.apply(RtnlBatch().add(SetLink{.link = "lo", .up = true}));
}

/// Runs `then` on a thread in a fresh namespace; the thread ends, so nothing is switched back.
Result<> in_fresh_namespace(const std::function<Result<>()> &then) {
  Result<> result;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0)
      result = fail(Error::from_errno(errno, "unshare(CLONE_NEWNET)"));
    else if (result = bring_loopback_up(); result)
      result = then();
  }).join();
  return result;
}

/// ip-netns(8) keeps its folder a shared mount, so that a namespace removed here also goes away in
/// the mount namespaces that copied it.
Result<> share_folder(const std::string &folder) {
  const auto share = [&] {
    return ::mount("", folder.c_str(), "none", MS_SHARED | MS_REC, nullptr) == 0;
  };
  if (share())
    return {};
  // EINVAL: no mount point yet.
  if (errno != EINVAL ||
      ::mount(folder.c_str(), folder.c_str(), "none", MS_BIND | MS_REC, nullptr) != 0 || !share())
    return fail(Error::from_errno(errno, "make " + quoted(folder) + " a shared mount"));
  return {};
}

bool is_ip_netns_folder(const std::string &folder) {
  return folder == "/run/netns" || folder == "/var/run/netns";
}

} // namespace

Result<NetNs> NetNs::create() {
  Result<NetNs> made = fail(Errc::kernel, "no namespace");
  SLUICE_TRY(in_fresh_namespace([&]() -> Result<> {
               made = current();
               return {};
             }),
             "create a network namespace");
  return made;
}

Result<NetNs> NetNs::create_named(const std::string &path) {
  const auto doing = "create network namespace " + quoted(path);
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fail(Error::from_errno(error.value(), doing));
  if (is_ip_netns_folder(folder))
    SLUICE_TRY(share_folder(folder), doing);
  if (UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)); !file)
    return fail(Error::from_errno(errno, doing));
  const auto kept = in_fresh_namespace([&]() -> Result<> {
    if (::mount(kThisThread, path.c_str(), "none", MS_BIND, nullptr) != 0)
      return fail(Error::from_errno(errno, "bind mount"));
    return {};
  });
  if (!kept) {
    ::unlink(path.c_str());
    return fail(Error(kept.error()).in(doing));
  }
  return open(path);
}

Result<> NetNs::remove_named(const std::string &path) {
  const auto doing = "remove network namespace " + quoted(path);
  // EINVAL: a file that is no mount point, left by somebody who died half-way.
  if (::umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT)
    return fail(Error::from_errno(errno, doing));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail(Error::from_errno(errno, doing));
  return {};
}

} // namespace sluice::kernel
