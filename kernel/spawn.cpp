#include "kernel/spawn.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" { // glibc 2.36's header does not say so itself
#include <sys/pidfd.h>
}

extern char **environ;

namespace sluice::kernel {
namespace {

using Clock = std::chrono::steady_clock;

/// What the child was doing when it failed; goes through the pipe as one byte.
enum class Step : std::uint8_t {
  mount_namespace,
  network_namespace,
  hostname,
  session,
  cgroup,
  directory,
  death_signal,
  descriptors,
  exec,
};

struct Failure {
  Step step;
  int err;
};

/// For system calls and little else; what the child executes gets another one.
constexpr std::size_t kStackBytes = 64 * 1024;

/// Everything the child touches, made before it begins: until its exec a program with threads may
/// only call async-signal-safe functions (signal-safety(7)).
struct Plan {
  std::string program;
  std::vector<char *> argv, env;
  std::array<int, 3> streams{};
  const SpawnOptions *options = nullptr;
  int report_fd = -1;
  pid_t parent = 0;
};

std::vector<char *> pointers(const std::vector<std::string> &texts) {
  std::vector<char *> result;
  result.reserve(texts.size() + 1);
  for (const auto &text : texts)
    result.push_back(const_cast<char *>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::vector<char *> own_environment() {
  std::vector<char *> result;
  for (char **entry = environ; entry && *entry; ++entry)
    result.push_back(*entry);
  result.push_back(nullptr);
  return result;
}

std::string search_path(const SpawnOptions &options) {
  if (options.environment)
    for (const auto &entry : *options.environment)
      if (entry.rfind("PATH=", 0) == 0)
        return entry.substr(5);
  const char *path = std::getenv("PATH");
  return path ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
}

Result<std::string> find_program(const SpawnOptions &options) {
  if (options.argv.empty() || options.argv.front().empty())
    return fail(Errc::invalid_input, "start a program: no name was given");
  const auto &name = options.argv.front();
  if (name.find('/') != std::string::npos)
    return name;
  const auto path = search_path(options);
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find(':', begin), path.size());
    const auto candidate = path.substr(begin, end - begin) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0)
      return candidate;
    begin = end + 1;
  }
  return fail(Errc::not_found, "start \"" + name + "\": it is in none of " + path);
}

[[noreturn]] void give_up(const Plan &plan, Step step) noexcept {
  const Failure failure{step, errno};
  (void)!::write(plan.report_fd, &failure, sizeof failure);
  ::_exit(127);
}

/// Sources may be 0, 1 or 2 themselves, so all are moved out of the way first.
bool arrange_streams(std::array<int, 3> streams) noexcept {
  for (auto &fd : streams)
    if (fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 3); fd < 0)
      return false;
  for (int i = 0; i < 3; ++i)
    if (::dup2(streams[static_cast<std::size_t>(i)], i) < 0)
      return false;
  return true;
}

void reset_signals() noexcept {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    (void)::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Not by CLONE_INTO_CGROUP: Linux 6.18 compares the kill sequence of the parent's cgroup with that
/// of the child's (cgroup_css_set_fork, cgroup_post_fork in kernel/cgroup/cgroup.c), and kills at
/// birth what is put into a cgroup that was killed before.
bool join_cgroup(int fd) noexcept {
  const int procs = ::openat(fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  return procs >= 0 && ::write(procs, "0", 1) == 1;
}

[[noreturn]] void run_child(const Plan &plan) noexcept {
  const auto &o = *plan.options;
  if (o.cgroup_fd && !join_cgroup(*o.cgroup_fd))
    give_up(plan, Step::cgroup);
  // Descriptors of namespaces stay valid whatever is entered first.
  if (o.mount_ns_fd && ::setns(*o.mount_ns_fd, CLONE_NEWNS) != 0)
    give_up(plan, Step::mount_namespace);
  if (o.netns_fd && ::setns(*o.netns_fd, CLONE_NEWNET) != 0)
    give_up(plan, Step::network_namespace);
  if (!o.hostname.empty() &&
      (::unshare(CLONE_NEWUTS) != 0 || ::sethostname(o.hostname.c_str(), o.hostname.size()) != 0))
    give_up(plan, Step::hostname);
  if (o.new_session && ::setsid() < 0)
    give_up(plan, Step::session);
  if (!o.working_directory.empty() && ::chdir(o.working_directory.c_str()) != 0)
    give_up(plan, Step::directory);
  if (o.parent_death_signal) {
    if (::prctl(PR_SET_PDEATHSIG, *o.parent_death_signal) != 0)
      give_up(plan, Step::death_signal);
    if (::getppid() != plan.parent) // it ended before the signal was asked for
      ::_exit(127);
  }
  if (!arrange_streams(plan.streams))
    give_up(plan, Step::descriptors);
  reset_signals();
  (void)::close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
  ::execve(plan.program.c_str(), plan.argv.data(), plan.env.data());
  give_up(plan, Step::exec);
}

int begin_child(void *plan) noexcept { run_child(*static_cast<const Plan *>(plan)); }

/// As vfork(2), with a pidfd: the child runs in our memory, on a stack of its own, until it
/// executes its program. A large process need not copy its page tables for that.
pid_t clone_process(Plan &plan, UniqueFd &pidfd) {
  struct alignas(16) Stack {
    std::array<std::byte, kStackBytes> bytes;
  };
  const auto stack = std::make_unique<Stack>();
  int fd = -1;
  const auto pid = ::clone(begin_child, stack->bytes.data() + kStackBytes,
                           CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &fd);
  if (pid > 0)
    pidfd.reset(fd);
  return pid;
}

std::string words_of(Step step, const SpawnOptions &options) {
  switch (step) {
  case Step::mount_namespace:
    return "enter its mount namespace";
  case Step::network_namespace:
    return "enter its network namespace";
  case Step::hostname:
    return "set the host name \"" + options.hostname + "\"";
  case Step::session:
    return "start a session";
  case Step::cgroup:
    return "join its cgroup";
  case Step::directory:
    return "go to the folder \"" + options.working_directory + "\"";
  case Step::death_signal:
    return "ask for the parent's death signal";
  case Step::descriptors:
    return "arrange its standard streams";
  case Step::exec:
    return "execute";
  }
  return "start";
}

/// Nothing if the pipe was closed by a successful exec.
std::optional<Failure> read_report(int fd) {
  Failure failure{};
  for (;;) {
    const auto got = ::read(fd, &failure, sizeof failure);
    if (got == static_cast<ssize_t>(sizeof failure))
      return failure;
    if (got >= 0 || errno != EINTR)
      return std::nullopt;
  }
}

/// The write end is 3 or more, so that it survives the arrangement of 0, 1 and 2.
struct Pipe {
  UniqueFd read, write;
};
Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(Error::from_errno(errno, "make a pipe"));
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (pipe.write.get() < 3)
    pipe.write.reset(::fcntl(pipe.write.get(), F_DUPFD_CLOEXEC, 3));
  return pipe;
}

Result<UniqueFd> memory_file(std::string_view text) {
  UniqueFd fd(::memfd_create("stdin", MFD_CLOEXEC));
  if (!fd || ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return fail(Error::from_errno(errno, "make a memory file"));
  return fd;
}

/// Appends what can be read now; false at the end of the file.
bool drain(int fd, std::string &into) {
  std::array<char, 16384> buffer{};
  for (;;) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0)
      into.append(buffer.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR)
      return got < 0 && errno == EAGAIN;
  }
}

/// poll(2)'s timeout until `deadline`, rounded up; 0 once it has passed.
int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, INT_MAX));
}

} // namespace

std::string ExitStatus::str() const {
  if (signal == 0)
    return "exited with " + std::to_string(code);
  const char *name = ::sigdescr_np(signal);
  return "killed by signal " + std::to_string(signal) +
         (name ? std::string(" (") + name + ")" : "");
}

Result<Child> spawn(const SpawnOptions &options) {
  SLUICE_ASSIGN(auto program, find_program(options), "spawn");
  const auto doing = "start \"" + program + "\"";
  SLUICE_ASSIGN(auto report, make_pipe(), doing);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null)
    return fail(Error::from_errno(errno, doing + ": open /dev/null"));

  Plan plan;
  plan.program = std::move(program);
  plan.argv = pointers(options.argv);
  plan.options = &options;
  plan.report_fd = report.write.get();
  plan.parent = ::getpid();
  plan.env = options.environment ? pointers(*options.environment) : own_environment();
  const std::array given{options.stdin_fd, options.stdout_fd, options.stderr_fd};
  std::transform(given.begin(), given.end(), plan.streams.begin(),
                 [&](int fd) { return fd < 0 ? null.get() : fd; });

  // No handler of ours may run in the child.
  sigset_t all, before;
  ::sigfillset(&all);
  (void)::pthread_sigmask(SIG_SETMASK, &all, &before);
  UniqueFd pidfd;
  const auto pid = clone_process(plan, pidfd);
  const int clone_error = errno;
  (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0)
    return fail(Error::from_errno(clone_error, doing));

  report.write.reset();
  Child child(pid, std::move(pidfd));
  if (const auto failure = read_report(report.read.get())) {
    (void)child.wait();
    return fail(Error::from_errno(failure->err, doing + ": " + words_of(failure->step, options)));
  }
  return child;
}

Result<ExitStatus> Child::wait_until(Clock::time_point deadline) {
  if (status_)
    return *status_;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  while (::poll(&ended, 1, milliseconds_until(deadline)) <= 0)
    if (Clock::now() >= deadline)
      return fail(Errc::timeout, "wait for process " + std::to_string(pid_) + ": it still runs");
  return wait();
}

Result<ExitStatus> Child::wait() {
  while (!status_) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) == 0)
      status_ = info.si_code == CLD_EXITED ? ExitStatus{info.si_status, 0}
                                           : ExitStatus{0, info.si_status};
    else if (errno != EINTR)
      return fail(Error::from_errno(errno, "wait for process " + std::to_string(pid_)));
  }
  return *status_;
}

Result<> Child::signal(int number) const {
  if (status_ || ::pidfd_send_signal(pidfd_.get(), number, nullptr, 0) == 0 || errno == ESRCH)
    return {};
  return fail(Error::from_errno(errno, "send signal " + std::to_string(number) + " to process " +
                                           std::to_string(pid_)));
}

Result<ExitStatus> Child::stop(std::chrono::milliseconds grace) {
  SLUICE_TRY(signal(SIGTERM), "stop");
  if (auto ended = wait_for(grace); ended || ended.error().code() != Errc::timeout)
    return ended;
  SLUICE_TRY(signal(SIGKILL), "stop");
  return wait();
}

Result<Output> run_program(SpawnOptions options, std::string_view stdin_text,
                           std::chrono::milliseconds time) {
  const auto deadline = Clock::now() + time;
  SLUICE_ASSIGN(auto input, memory_file(stdin_text), "run a program");
  SLUICE_ASSIGN(auto out, make_pipe(), "run a program");
  SLUICE_ASSIGN(auto err, make_pipe(), "run a program");
  options.stdin_fd = input.get();
  options.stdout_fd = out.write.get();
  options.stderr_fd = err.write.get();
  auto child = spawn(options);
  if (!child)
    return fail(std::move(child.error()));
  out.write.reset();
  err.write.reset();
  for (const auto *end : {&out.read, &err.read})
    (void)::fcntl(end->get(), F_SETFL, O_NONBLOCK);

  Output output;
  // A pipe that is at its end is left out (poll(2) skips negative descriptors).
  std::array<pollfd, 3> watched{pollfd{child->pidfd(), POLLIN, 0},
                                pollfd{out.read.get(), POLLIN, 0},
                                pollfd{err.read.get(), POLLIN, 0}};
  bool ended = false;
  while (!ended) {
    if (::poll(watched.data(), watched.size(), milliseconds_until(deadline)) <= 0 &&
        Clock::now() >= deadline) {
      (void)child->signal(SIGKILL);
      (void)child->wait();
      return fail(Errc::timeout, "run \"" + options.argv.front() + "\": killed after " +
                                     std::to_string(time.count()) + " ms");
    }
    // Read after the end was seen, so that nothing is missed; a grandchild may hold the pipes open.
    ended = watched[0].revents != 0;
    if (watched[1].fd >= 0 && !drain(watched[1].fd, output.stdout_text))
      watched[1].fd = -1;
    if (watched[2].fd >= 0 && !drain(watched[2].fd, output.stderr_text))
      watched[2].fd = -1;
  }
  SLUICE_ASSIGN(output.status, child->wait(), "run a program");
  return output;
}

} // namespace sluice::kernel
