#include "kube/daemon/unix_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace sluice::kube::daemon {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

Result<sockaddr_un> address_of(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_input, "socket path \"" + path + "\": must have 1 to " +
                                         std::to_string(sizeof address.sun_path - 1) + " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> new_socket() {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket)
    return fail(Error::from_errno(errno, "make a Unix socket"));
  return socket;
}

int bind_errno(const UniqueFd &socket, const sockaddr_un &address) {
  const auto *plain = reinterpret_cast<const sockaddr *>(&address);
  return ::bind(socket.get(), plain, sizeof address) == 0 ? 0 : errno;
}

} // namespace

Result<UniqueFd> listen_unix(const std::string &path) {
  const std::string doing = "listen on \"" + path + "\"";
  SLUICE_ASSIGN(const sockaddr_un address, address_of(path), doing);
  SLUICE_ASSIGN(UniqueFd socket, new_socket(), doing);
  // Linux gives the socket file the mode of the socket: no moment in which others may connect.
  if (::fchmod(socket.get(), 0600) != 0)
    return fail(Error::from_errno(errno, doing));
  int err = bind_errno(socket, address);
  if (err == EADDRINUSE) {
    if (connect_unix(path))
      return fail(Errc::already_exists, doing + ": another daemon listens there");
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode))
      return fail(Errc::already_exists, doing + ": the file exists and is no socket");
    ::unlink(path.c_str());
    err = bind_errno(socket, address);
  }
  if (err != 0)
    return fail(Error::from_errno(err, doing));
  if (::listen(socket.get(), SOMAXCONN) != 0)
    return fail(Error::from_errno(errno, doing));
  return socket;
}

Result<UniqueFd> connect_unix(const std::string &path) {
  const std::string doing = "connect to \"" + path + "\"";
  SLUICE_ASSIGN(const sockaddr_un address, address_of(path), doing);
  SLUICE_ASSIGN(UniqueFd socket, new_socket(), doing);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
    const int err = errno;
    if (err == ENOENT || err == ECONNREFUSED)
      return fail(Errc::unavailable,
                  doing + ": " + std::strerror(err) + " (is the daemon running?)");
    return fail(Error::from_errno(err, doing));
  }
  return socket;
}

Result<> LineChannel::wait(short events, Deadline deadline) const {
  while (true) {
    int timeout = -1;
    if (deadline != Deadline::max()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      timeout = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    pollfd watched{fd_, events, 0};
    const int ready = ::poll(&watched, 1, timeout);
    if (ready > 0)
      return {};
    if (ready == 0)
      return fail(Errc::timeout, "no answer in time");
    if (errno != EINTR)
      return fail(Error::from_errno(errno, "poll"));
  }
}

Result<std::optional<std::string>> LineChannel::read_line(Deadline deadline) {
  std::array<char, 16 * 1024> block;
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    searched = buffer_.size();
    if (buffer_.size() > limit_)
      return fail(Errc::exhausted, "the line is longer than " + std::to_string(limit_) + " bytes");
    SLUICE_TRY(wait(POLLIN, deadline), "read");
    const ssize_t got = ::recv(fd_, block.data(), block.size(), MSG_DONTWAIT);
    if (got == 0)
      return std::optional<std::string>();
    if (got > 0)
      buffer_.append(block.data(), static_cast<std::size_t>(got));
    else if (errno != EAGAIN && errno != EINTR)
      return fail(Error::from_errno(errno, "read"));
  }
}

Result<> LineChannel::write_line(std::string line, Deadline deadline) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    SLUICE_TRY(wait(POLLOUT, deadline), "write");
    const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      rest.remove_prefix(static_cast<std::size_t>(sent));
    else if (errno != EAGAIN && errno != EINTR)
      return fail(Error::from_errno(errno, "write"));
  }
  return {};
}

} // namespace sluice::kube::daemon
