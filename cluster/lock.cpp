#include "cluster/lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>

namespace sluice::cluster {

Result<FolderLock> FolderLock::take(const std::string &folder, std::chrono::milliseconds patience) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd)
    return fail(Error::from_errno(errno, "open \"" + folder + "\""));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return fail(Error::from_errno(errno, "lock \"" + folder + "\""));
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Errc::busy, "another process is working on \"" + folder + "\"");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return FolderLock(std::move(fd));
}

} // namespace sluice::cluster
