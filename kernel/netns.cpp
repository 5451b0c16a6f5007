#include "kernel/netns.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <thread>

namespace sluice::kernel {

Result<NetNs> NetNs::open(const std::string &path) {
  const auto doing = "open network namespace \"" + path + "\"";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  struct stat file {};
  if (::fstat(fd.get(), &file) != 0)
    return fail(Error::from_errno(errno, doing));
  if (!S_ISREG(file.st_mode) || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(Errc::invalid_input, doing + ": it is no network namespace");
  return NetNs(std::move(fd), file.st_ino);
}

Result<NetNs> NetNs::current() {
  UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0)
    return fail(Error::from_errno(errno, "open the current network namespace"));
  return NetNs(std::move(fd), file.st_ino);
}

Result<> NetNs::enter() const {
  if (::setns(fd_.get(), CLONE_NEWNET) != 0)
    return fail(Error::from_errno(errno, "enter a network namespace"));
  return {};
}

Result<> NetNs::run_on_thread(const std::function<void()> &fn) const {
  Result<> entered;
  std::thread([&] {
    if (entered = enter(); entered)
      fn();
  }).join();
  return entered;
}

} // namespace sluice::kernel
