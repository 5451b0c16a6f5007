#include "cni/protocol/exec.hpp"

#include "cni/protocol/json.hpp"
#include "net/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

using Clock = std::chrono::steady_clock;

CniError io_error(int err, const std::string &doing) {
  const auto error = Error::from_errno(err, doing);
  return {Code::io, error.what()};
}

struct Pipe {
  UniqueFd read_end, write_end;
};

Outcome<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0)
    return fail(io_error(errno, "make a pipe"));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// posix_spawn(3) wants arrays of char*; this keeps the strings alive.
class StringArray {
public:
  explicit StringArray(std::vector<std::string> strings) : strings_(std::move(strings)) {
    for (auto &text : strings_)
      pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  char *const *get() noexcept { return pointers_.data(); }

private:
  std::vector<std::string> strings_;
  std::vector<char *> pointers_;
};

struct Call {
  const std::string &program;
  std::vector<std::string> arguments; ///< the name first
  const Variables &variables;
  bool errors_too; ///< stderr goes where stdout goes
};

std::vector<std::string> strings_of(const Variables &variables) {
  std::vector<std::string> strings;
  for (const auto &[name, value] : variables)
    strings.push_back(name + "=" + value);
  return strings;
}

Outcome<pid_t> spawn(const Call &call, int in, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (call.errors_too)
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
  StringArray arguments(call.arguments), variables(strings_of(call.variables));
  pid_t pid = -1;
  const int err = ::posix_spawn(&pid, call.program.c_str(), &actions, nullptr, arguments.get(),
                                variables.get());
  posix_spawn_file_actions_destroy(&actions);
  if (err != 0)
    return fail(io_error(err, "start \"" + call.program + "\""));
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Feeds `input` and collects the output at the same time: either side may fill its pipe. False at
/// the deadline.
bool converse(UniqueFd to, const UniqueFd &from, std::string_view input, Clock::time_point deadline,
              std::string &output) {
  ::fcntl(to.get(), F_SETFL, O_NONBLOCK);
  std::array<char, 4096> buffer{};
  for (;;) {
    if (input.empty())
      to.reset();
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0)
      return false;
    std::array<pollfd, 2> fds = {{{from.get(), POLLIN, 0}, {to.get(), POLLOUT, 0}}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) < 0)
      continue;
    if (fds[1].revents != 0) {
      const auto written = ::write(to.get(), input.data(), input.size());
      if (written > 0)
        input.remove_prefix(static_cast<std::size_t>(written));
      else if (errno != EAGAIN && errno != EINTR)
        input = {}; // the plugin does not want to read: its business
    }
    if (fds[0].revents != 0) {
      const auto got = ::read(from.get(), buffer.data(), buffer.size());
      if (got == 0)
        return true;
      if (got > 0)
        output.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
}

Outcome<PluginRun> run(const Call &call, std::string_view input,
                       std::chrono::milliseconds deadline) {
  SLUICE_ASSIGN(auto in, make_pipe(), "run \"" + call.program + "\"");
  SLUICE_ASSIGN(auto out, make_pipe(), "run \"" + call.program + "\"");
  SLUICE_ASSIGN(const pid_t pid, spawn(call, in.read_end.get(), out.write_end.get()),
                "run a program");
  in.read_end.reset();
  out.write_end.reset();
  PluginRun run;
  // A plugin that ends without reading must not end us.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  const bool in_time =
      converse(std::move(in.write_end), out.read_end, input, Clock::now() + deadline, run.output);
  ::sigaction(SIGPIPE, &before, nullptr);
  if (!in_time)
    ::kill(pid, SIGKILL);
  run.exit_status = wait_for(pid);
  if (!in_time)
    return fail(Code::try_again, "program \"" + call.program + "\" did not end in " +
                                     std::to_string(deadline.count()) + " ms; it was killed");
  return run;
}

/// The error object that a plugin printed, or one about its silence.
CniError error_of(const std::string &program, const PluginRun &run) {
  const auto said =
      "plugin \"" + program + "\" ended with status " + std::to_string(run.exit_status);
  const auto document = JsonDocument::parse(run.output);
  if (!document || !document->root().is_object())
    return {Code::kernel, said + " and no readable error", run.output.substr(0, 400)};
  const ObjectReader top(document->root(), "");
  std::string message, details;
  const auto code = top.number("code", 0, 0xffffffff);
  (void)top.read("msg", message);
  (void)top.read("details", details);
  return {static_cast<unsigned>(code && *code ? **code : static_cast<unsigned>(Code::kernel)),
          message.empty() ? said : message, details};
}

} // namespace

Outcome<std::string> read_to_end(int fd) {
  std::string text;
  std::array<char, 8192> buffer;
  for (;;) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0)
      return text;
    if (got > 0)
      text.append(buffer.data(), static_cast<std::size_t>(got));
    else if (errno != EINTR)
      return fail(io_error(errno, "read the configuration from stdin"));
  }
}

Outcome<> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written > 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      return fail(io_error(errno, "write the answer to stdout"));
  }
  return {};
}

Outcome<std::string> find_plugin(std::string_view type, const std::vector<std::string> &folders) {
  if (type.empty() || type.find('/') != std::string_view::npos)
    return fail(Code::invalid_config, "\"" + std::string(type) + "\" cannot name a plugin");
  if (folders.empty())
    return fail(Code::bad_environment, "required environment variables are not set: CNI_PATH",
                "plugin \"" + std::string(type) + "\" is to be run");
  std::string searched;
  for (const auto &folder : folders) {
    const auto file = folder + "/" + std::string(type);
    struct stat info {};
    if (::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode))
      return file;
    searched += (searched.empty() ? "" : ":") + folder;
  }
  return fail(Code::invalid_config,
              "plugin \"" + std::string(type) + "\" is in no folder of CNI_PATH",
              "searched: " + searched);
}

bool is_this_program(const std::string &file) {
  struct stat other {
  }, self{};
  return ::stat(file.c_str(), &other) == 0 && ::stat("/proc/self/exe", &self) == 0 &&
         other.st_dev == self.st_dev && other.st_ino == self.st_ino;
}

Outcome<PluginRun> run_plugin(const std::string &program, const Variables &variables,
                              std::string_view input, std::chrono::milliseconds deadline) {
  return run({program, {program}, variables, false}, input, deadline);
}

Outcome<PluginRun> run_program(const std::string &program,
                               const std::vector<std::string> &arguments,
                               const Variables &variables, std::string_view input,
                               std::chrono::milliseconds deadline) {
  std::vector<std::string> all = {program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run({program, std::move(all), variables, true}, input, deadline);
}

Outcome<std::string> call_plugin(const std::string &program, Command command, Variables variables,
                                 std::string_view input) {
  variables.insert_or_assign("CNI_COMMAND", std::string(name_of(command)));
  SLUICE_ASSIGN(auto run, run_plugin(program, variables, input), name_of(command));
  if (run.exit_status != 0)
    return fail(error_of(program, run));
  return std::move(run.output);
}

} // namespace sluice::cni
