#include "integration/shell.hpp"

#include "net/unique_fd.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <vector>

namespace sluice::integration {
namespace {

/// A child in a process group of its own that writes to `out`.
int start(const std::string &command, int out) {
  const int pid = ::fork();
  if (pid != 0)
    return pid;
  ::setpgid(0, 0);
  const int in = ::open("/dev/null", O_RDONLY);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  ::_exit(127);
}

std::string read_all(const std::string &file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string temporary_file() {
  std::string name = "/tmp/slc-test-output-XXXXXX";
  UniqueFd(::mkstemp(name.data()));
  return name;
}

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

} // namespace

Output shell(const std::string &command, std::chrono::seconds deadline) {
  const auto file = temporary_file();
  UniqueFd out(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const int pid = start(command, out.get());
  Output output;
  int status = 0;
  const bool ended = eventually(deadline, [&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
  if (!ended) {
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  output.status = ended ? exit_status(status) : 124;
  output.text = read_all(file);
  ::unlink(file.c_str());
  return output;
}

Background::Background(const std::string &command) : file_(temporary_file()) {
  UniqueFd out(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  pid_ = start(command, out.get());
}

Background::~Background() {
  stop();
  ::unlink(file_.c_str());
}

std::string Background::stop() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  return text();
}

std::string Background::text() const { return read_all(file_); }

bool eventually(std::chrono::seconds deadline, const std::function<bool()> &done) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  for (auto pause = std::chrono::milliseconds(1);;
       pause = std::min(pause * 2, std::chrono::milliseconds(50))) {
    if (done())
      return true;
    if (std::chrono::steady_clock::now() >= end)
      return false;
    std::this_thread::sleep_for(pause);
  }
}

std::string quoted(const std::string &text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string kubectl_program() {
  if (const char *chosen = std::getenv("SLUICE_KUBECTL"); chosen != nullptr)
    return chosen;
  return shell("command -v kubectl").ok() ? "kubectl"
                                          : SLUICE_BIN_DIR "/../kubectl/usr/bin/kubectl";
}

} // namespace sluice::integration
