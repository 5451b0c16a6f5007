#include "kernel/cgroup.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/magic.h>
#include <poll.h>
#include <sstream>
#include <sys/vfs.h>

namespace sluice::kernel {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

Result<> write_file(const std::string &path, const std::string &text, const std::string &doing) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) < 0)
    return fail(Error::from_errno(errno, doing));
  return {};
}

bool is_on_cgroup2(const fs::path &path) {
  struct statfs filesystem {};
  return ::statfs(path.c_str(), &filesystem) == 0 && filesystem.f_type == CGROUP2_SUPER_MAGIC;
}

/// `path` itself and every directory below it, parents first.
Result<std::vector<fs::path>> directories(const fs::path &path) {
  std::vector<fs::path> found{path};
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(path, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error))
    if (std::error_code ignored; it->is_directory(ignored))
      found.push_back(it->path());
  // Somebody may be removing directories below us.
  if (error && error.value() != ENOENT)
    return fail(Error::from_errno(error.value(), "list cgroup " + quoted(path)));
  return found;
}

/// The value of "populated" in cgroup.events.
Result<bool> is_populated(int events_fd) {
  std::array<char, 256> buffer{};
  const auto got = ::pread(events_fd, buffer.data(), buffer.size() - 1, 0);
  if (got < 0 && errno == ENODEV)
    return false; // removed meanwhile
  if (got < 0)
    return fail(Error::from_errno(errno, "read cgroup.events"));
  return std::string_view(buffer.data(), static_cast<std::size_t>(got)).find("populated 1") !=
         std::string_view::npos;
}

} // namespace

Result<std::string> find_cgroup2(const std::string &mounts) {
  std::ifstream file(mounts);
  if (!file)
    return fail(Errc::io, "read " + quoted(mounts));
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string device, point, type;
    if (fields >> device >> point >> type && type == "cgroup2")
      return point;
  }
  return fail(Errc::not_found,
              "cgroup2 is mounted nowhere; mount it with: mount -t cgroup2 none /sys/fs/cgroup");
}

Result<Cgroup> Cgroup::create(const std::string &path) {
  const auto doing = "create cgroup " + quoted(path);
  fs::path existing(path);
  std::error_code error;
  while (!fs::exists(existing, error) && existing.has_relative_path())
    existing = existing.parent_path();
  if (!is_on_cgroup2(existing))
    return fail(Errc::invalid_input, doing + ": that is not below a cgroup2 mount");
  fs::create_directories(path, error);
  if (error)
    return fail(Error::from_errno(error.value(), doing));
  return open(path);
}

Result<Cgroup> Cgroup::open(const std::string &path) {
  const auto doing = "open cgroup " + quoted(path);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  if (!is_on_cgroup2(path))
    return fail(Errc::invalid_input, doing + ": it is not on cgroup2");
  return Cgroup(path, std::move(fd));
}

Result<> Cgroup::add(pid_t pid) const {
  return write_file(path_ + "/cgroup.procs", std::to_string(pid),
                    "move process " + std::to_string(pid) + " to cgroup " + quoted(path_));
}

Result<std::vector<pid_t>> Cgroup::pids() const {
  SLUICE_ASSIGN(const auto folders, directories(path_), "list processes");
  std::vector<pid_t> found;
  for (const auto &folder : folders) {
    std::ifstream file(folder / "cgroup.procs");
    for (pid_t pid = 0; file >> pid;)
      found.push_back(pid);
  }
  return found;
}

Result<> Cgroup::kill_all() const {
  const auto doing = "kill all in cgroup " + quoted(path_);
  auto killed = write_file(path_ + "/cgroup.kill", "1", doing);
  if (killed || killed.error().code() != Errc::not_found)
    return killed;
  // Before 5.14. A process forked meanwhile is found by the next round.
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  while (Clock::now() < deadline) {
    SLUICE_ASSIGN(const auto left, pids(), doing);
    if (left.empty())
      return {};
    for (const auto pid : left)
      (void)::kill(pid, SIGKILL);
    (void)wait_empty(std::chrono::milliseconds(20));
  }
  return fail(Errc::timeout, doing + ": new processes appear faster than they can be killed");
}

Result<> Cgroup::wait_empty(std::chrono::milliseconds time) const {
  const auto doing = "wait until cgroup " + quoted(path_) + " is empty";
  const auto deadline = Clock::now() + time;
  const UniqueFd events(::open((path_ + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  if (!events && errno == ENOENT)
    return {};
  if (!events)
    return fail(Error::from_errno(errno, doing));
  for (;;) {
    SLUICE_ASSIGN(const auto populated, is_populated(events.get()), doing);
    if (!populated)
      return {};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0)
      break;
    // cgroup.events: POLLPRI when a value changes (Documentation/admin-guide/cgroup-v2.rst).
    pollfd changed{events.get(), POLLPRI, 0};
    (void)::poll(&changed, 1, static_cast<int>(std::min<long>(left, 1000)));
  }
  std::string some;
  for (const auto pid : pids().value_or(std::vector<pid_t>{}))
    if (some.size() < 60)
      some += " " + std::to_string(pid);
  return fail(Errc::timeout, doing + ": still there:" + some);
}

Result<> Cgroup::remove() const {
  SLUICE_ASSIGN(auto folders, directories(path_), "remove cgroup");
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder)
    if (::rmdir(folder->c_str()) != 0 && errno != ENOENT)
      return fail(Error::from_errno(errno, "remove cgroup " + quoted(*folder)));
  return {};
}

Result<> destroy_cgroup(const std::string &path, std::chrono::milliseconds time) {
  auto cgroup = Cgroup::open(path);
  if (!cgroup && cgroup.error().code() == Errc::not_found)
    return {};
  if (!cgroup)
    return fail(std::move(cgroup.error()));
  SLUICE_TRY(cgroup->kill_all(), "destroy");
  SLUICE_TRY(cgroup->wait_empty(time), "destroy");
  return cgroup->remove();
}

} // namespace sluice::kernel
