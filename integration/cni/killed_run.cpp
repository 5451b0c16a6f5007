#include "integration/cni/killed_run.hpp"

#include "net/unique_fd.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace sluice::integration {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const char *doing) {
  std::perror(doing);
  std::abort();
}

/// What execve(2) takes, and files in memory for stdin and stdout: no pipe that could fill up.
class Prepared {
public:
  explicit Prepared(const PluginCall &call)
      : program_(call.program), in_(::memfd_create("stdin", MFD_CLOEXEC)),
        out_(::memfd_create("stdout", MFD_CLOEXEC)) {
    for (const auto &[name, value] : call.variables)
      strings_.push_back(name + "=" + value);
    for (auto &text : strings_)
      environment_.push_back(text.data());
    environment_.push_back(nullptr);
    if (::pwrite(in_.get(), call.config.data(), call.config.size(), 0) !=
        static_cast<ssize_t>(call.config.size()))
      give_up("write the configuration");
  }
  int in() const noexcept { return in_.get(); }
  int out() const noexcept { return out_.get(); }
  char **arguments() noexcept { return arguments_.data(); }
  char **environment() noexcept { return environment_.data(); }
  const char *program() const noexcept { return program_.c_str(); }
  std::string output() const {
    std::string text(static_cast<std::size_t>(::lseek(out_.get(), 0, SEEK_END)), '\0');
    const auto got = ::pread(out_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

private:
  std::string program_;
  UniqueFd in_, out_;
  std::vector<std::string> strings_;
  std::vector<char *> environment_;
  std::array<char *, 2> arguments_ = {program_.data(), nullptr};
};

void set_end(KilledRun &run, int status) {
  run.killed = WIFSIGNALED(status);
  run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// In the child of a process with threads: only what is safe in a signal handler.
[[noreturn]] void become_traced(Prepared &prepared) {
  ::dup2(prepared.in(), STDIN_FILENO);
  ::dup2(prepared.out(), STDOUT_FILENO);
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::execve(prepared.program(), prepared.arguments(), prepared.environment());
  ::_exit(127);
}

/// Lets the stopped plugin go on until its next stop. The signal that stopped it is not passed on.
bool go_on(pid_t pid, int &status) {
  return ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) == 0 &&
         ::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

} // namespace

KilledRun run_and_kill_after(const PluginCall &call, std::chrono::microseconds delay) {
  Prepared prepared(call);
  KilledRun run;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, prepared.in(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, prepared.out(), STDOUT_FILENO);
  pid_t pid = -1;
  const auto begin = Clock::now();
  if (::posix_spawn(&pid, prepared.program(), &actions, nullptr, prepared.arguments(),
                    prepared.environment()) != 0)
    give_up(prepared.program());
  posix_spawn_file_actions_destroy(&actions);
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd end = {process.get(), POLLIN, 0};
  const timespec wait = {delay.count() / 1'000'000, delay.count() % 1'000'000 * 1000};
  if (::ppoll(&end, 1, delay.count() < 0 ? nullptr : &wait, nullptr) == 0)
    ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  run.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  set_end(run, status);
  run.output = prepared.output();
  return run;
}

KilledRun run_and_kill_at_call(const PluginCall &call, int number) {
  Prepared prepared(call);
  KilledRun run;
  const pid_t pid = ::fork();
  if (pid < 0)
    give_up("fork");
  if (pid == 0)
    become_traced(prepared);
  int status = 0;
  ::waitpid(pid, &status, 0); // execve(2) is done
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (bool entering = true; go_on(pid, status);) {
    if (WSTOPSIG(status) != (SIGTRAP | 0x80))
      continue;
    if (entering && ++run.system_calls == number) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      break;
    }
    entering = !entering;
  }
  set_end(run, status);
  run.output = prepared.output();
  return run;
}

} // namespace sluice::integration
