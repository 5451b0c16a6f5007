#include "podlet/container.hpp"

#include "kernel/files.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

namespace sluice::podlet {
namespace {

constexpr int kStartTimeField = 22;
constexpr std::chrono::seconds kPatience{2};

Result<UniqueFd> open_log(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd)
    return fail(Error::from_errno(errno, "open log \"" + path + "\""));
  return fd;
}

bool has_ended(int pidfd) {
  pollfd one{pidfd, POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

} // namespace

std::uint64_t parse_start_ticks(const std::string &stat) {
  // The second field, the name in parentheses, may hold anything; the third follows the last ')'.
  auto at = stat.rfind(')');
  for (int field = 2; field < kStartTimeField && at != std::string::npos; ++field)
    at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(stat.c_str() + at + 1, nullptr, 10);
}

std::uint64_t start_ticks_of(pid_t pid) {
  return parse_start_ticks(
      kernel::read_file("/proc/" + std::to_string(pid) + "/stat").value_or(""));
}

Result<RunningContainer> RunningContainer::start(const ContainerSettings &settings,
                                                 const Sandbox &sandbox) {
  SLUICE_ASSIGN(const auto log, open_log(settings.log_path), "start");
  SLUICE_ASSIGN(const auto cgroup, kernel::Cgroup::create(settings.cgroup_path), "start");
  kernel::SpawnOptions options;
  options.argv = settings.argv;
  options.environment = settings.environment;
  options.stdout_fd = options.stderr_fd = log.get();
  options.netns_fd = sandbox.netns.fd();
  options.mount_ns_fd = sandbox.mounts.fd();
  options.hostname = settings.hostname;
  options.cgroup_fd = cgroup.fd();
  options.working_directory = settings.working_directory;
  options.new_session = true;
  SLUICE_ASSIGN(auto child, kernel::spawn(options), "start \"" + settings.argv.front() + "\"");
  RunningContainer container;
  container.pid_ = child.pid();
  container.start_ticks_ = start_ticks_of(child.pid());
  container.child_ = std::move(child);
  container.cgroup_path_ = settings.cgroup_path;
  return container;
}

Result<RunningContainer> RunningContainer::adopt(pid_t pid, std::uint64_t start_ticks,
                                                 std::string cgroup_path) {
  RunningContainer container;
  container.pid_ = pid;
  container.start_ticks_ = start_ticks;
  container.cgroup_path_ = std::move(cgroup_path);
  if (pid <= 0)
    return fail(Errc::not_found, "it was not running");
  container.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The order matters: once the pidfd is open, the number cannot come to mean another process.
  if (!container.pidfd_ || start_ticks_of(pid) != start_ticks)
    return fail(Errc::not_found, "process " + std::to_string(pid) + " is gone");
  return container;
}

std::optional<Result<kernel::ExitStatus>> RunningContainer::ended() {
  if (!has_ended(pidfd()))
    return std::nullopt;
  Result<kernel::ExitStatus> status =
      fail(Errc::unavailable, "it ended while no podlet was its parent");
  if (child_)
    status = child_->wait_for(std::chrono::milliseconds(0));
  (void)kernel::destroy_cgroup(cgroup_path_, kPatience);
  return status;
}

void RunningContainer::signal(int number) const {
  ::syscall(SYS_pidfd_send_signal, pidfd(), number, nullptr, 0);
}

void RunningContainer::kill_all() const {
  if (const auto cgroup = kernel::Cgroup::open(cgroup_path_))
    (void)cgroup->kill_all();
}

} // namespace sluice::podlet
