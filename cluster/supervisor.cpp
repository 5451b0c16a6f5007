#include "cluster/supervisor.hpp"

#include "kernel/files.hpp"
#include "kernel/spawn.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace sluice::cluster {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kStopGrace{5000};

struct Watched {
  Daemon daemon;
  UniqueFd log;
  pid_t pid = -1; ///< -1: not running
  Clock::time_point started, due;
  unsigned failures = 0;
};

std::string now_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                now.tv_nsec / 1000000);
  return text;
}

bool is_socket(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status))
    return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with " + std::to_string(WEXITSTATUS(status));
}

class Supervisor {
public:
  explicit Supervisor(std::string folder)
      : folder_(std::move(folder)), stdin_fd_(is_socket(0) ? 0 : -1) {}

  Result<> open() {
    SLUICE_ASSIGN(auto text, kernel::read_file(folder_ + "/supervisor.json"), "supervise");
    SLUICE_ASSIGN(auto daemons, parse_daemons(text), "supervise");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT})
      sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    holds_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    ::inotify_add_watch(holds_.get(), (folder_ + "/hold").c_str(), IN_DELETE | IN_MOVED_FROM);
    for (auto &daemon : daemons) {
      const auto path = folder_ + "/log/" + daemon.name + ".log";
      Watched watched;
      watched.log.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
      if (!watched.log)
        return fail(Error::from_errno(errno, "open log \"" + path + "\""));
      watched.daemon = std::move(daemon);
      watched_.push_back(std::move(watched));
    }
    return {};
  }

  void run() {
    while (!stopping_) {
      start_what_is_due();
      wait_for_event();
    }
    stop_all();
  }

private:
  bool held(const Watched &watched) const {
    return ::access((folder_ + "/hold/" + watched.daemon.name).c_str(), F_OK) == 0;
  }

  void say(const Watched &watched, const std::string &what) const {
    const auto line = now_text() + " supervisor: " + watched.daemon.name + " " + what + "\n";
    (void)!::write(watched.log.get(), line.data(), line.size());
  }

  void start(Watched &watched) {
    kernel::SpawnOptions options;
    options.argv = watched.daemon.argv;
    options.stdin_fd = stdin_fd_;
    options.stdout_fd = options.stderr_fd = watched.log.get();
    options.new_session = true;
    watched.started = Clock::now();
    auto child = kernel::spawn(options);
    if (!child) {
      say(watched, "does not start: " + child.error().what());
      watched.due = Clock::now() + restart_delay(milliseconds(0), ++watched.failures);
      return;
    }
    watched.pid = child->pid();
    (void)kernel::write_file(folder_ + "/" + watched.daemon.name + ".pid",
                             std::to_string(watched.pid) + "\n");
    say(watched, "started as process " + std::to_string(watched.pid));
  }

  void start_what_is_due() {
    const auto now = Clock::now();
    for (auto &watched : watched_)
      if (watched.pid < 0 && watched.due <= now && !held(watched))
        start(watched);
  }

  int milliseconds_to_next_start() const {
    std::optional<milliseconds> next;
    for (const auto &watched : watched_) {
      if (watched.pid >= 0 || held(watched))
        continue;
      const auto left = std::chrono::ceil<milliseconds>(watched.due - Clock::now());
      next = std::min(next.value_or(left), left);
    }
    return next ? static_cast<int>(std::max<milliseconds::rep>(next->count(), 0)) : -1;
  }

  void wait_for_event() {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {holds_.get(), POLLIN, 0}};
    ::poll(fds, 2, milliseconds_to_next_start());
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
      stopping_ = stopping_ || info.ssi_signo != SIGCHLD;
    char drained[4096];
    while (::read(holds_.get(), drained, sizeof drained) > 0) {
    }
    reap();
  }

  void reap() {
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
         pid = ::waitpid(-1, &status, WNOHANG)) {
      const auto found = std::find_if(watched_.begin(), watched_.end(),
                                      [pid](const Watched &w) { return w.pid == pid; });
      if (found != watched_.end())
        note_end(*found, status);
    }
  }

  void note_end(Watched &watched, int status) {
    const auto life = std::chrono::duration_cast<milliseconds>(Clock::now() - watched.started);
    const auto delay = restart_delay(life, watched.failures);
    watched.failures = was_short(life) ? watched.failures + 1 : 0;
    watched.pid = -1;
    watched.due = Clock::now() + delay;
    (void)kernel::remove_tree(folder_ + "/" + watched.daemon.name + ".pid");
    say(watched, describe_end(status) + "; starting it again" +
                     (held(watched) ? " when the hold is lifted"
                                    : " in " + std::to_string(delay.count()) + " ms"));
  }

  void signal_all(int number) const {
    for (const auto &watched : watched_)
      if (watched.pid > 0)
        ::kill(watched.pid, number);
  }

  bool any_left() const {
    return std::any_of(watched_.begin(), watched_.end(),
                       [](const Watched &w) { return w.pid > 0; });
  }

  void stop_all() {
    signal_all(SIGTERM);
    const auto deadline = Clock::now() + kStopGrace;
    while (any_left() && Clock::now() < deadline) {
      pollfd fd{signals_.get(), POLLIN, 0};
      ::poll(&fd, 1, 100);
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      }
      reap();
    }
    signal_all(SIGKILL);
  }

  std::string folder_;
  int stdin_fd_;
  UniqueFd signals_, holds_;
  std::vector<Watched> watched_;
  bool stopping_ = false;
};

} // namespace

Result<> supervise(const std::string &folder) {
  Supervisor supervisor(folder);
  if (auto opened = supervisor.open(); !opened)
    return opened;
  supervisor.run();
  return {};
}

} // namespace sluice::cluster
