#include "kube/daemon/listen_fds.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace sluice::kube::daemon {
namespace {

constexpr int kFirst = 3; // SD_LISTEN_FDS_START

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

Result<int> number(const char *name, const std::string &text) {
  int value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc() || end != text.data() + text.size() || value < 0)
    return fail(Errc::invalid_input, std::string(name) + "=\"" + text + "\": not a number");
  return value;
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(':'));
    names.emplace_back(name);
    text.remove_prefix(std::min(name.size() + 1, text.size()));
  }
  return names;
}

} // namespace

Result<std::vector<ListenFd>> take_listen_fds() {
  const std::string pid = variable("LISTEN_PID"), fds = variable("LISTEN_FDS");
  const std::vector<std::string> names = split_names(variable("LISTEN_FDNAMES"));
  for (const char *name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    ::unsetenv(name);
  if (fds.empty() || pid != std::to_string(::getpid()))
    return std::vector<ListenFd>();
  SLUICE_ASSIGN(const int count, number("LISTEN_FDS", fds), "take over listening sockets");
  std::vector<ListenFd> taken;
  for (int i = 0; i < count; ++i) {
    const int fd = kFirst + i;
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
      return fail(Error::from_errno(errno, "take over listening socket " + std::to_string(fd)));
    const auto index = static_cast<std::size_t>(i);
    taken.push_back({UniqueFd(fd), index < names.size() ? names[index] : std::string()});
  }
  return taken;
}

} // namespace sluice::kube::daemon
