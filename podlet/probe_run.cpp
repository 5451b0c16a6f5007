#include "podlet/probe_run.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace sluice::podlet {
namespace {

using Clock = std::chrono::steady_clock;

Result<> wait_for(int fd, short events, Clock::time_point deadline, const std::string &doing) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd one{fd, events, 0};
  if (left <= 0 || ::poll(&one, 1, static_cast<int>(left)) <= 0)
    return fail(Errc::timeout, doing + ": no answer in time");
  return {};
}

socklen_t fill(const SocketAddress &address, sockaddr_storage &raw) {
  const auto bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    auto &v4 = reinterpret_cast<sockaddr_in &>(raw);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port.value);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    return sizeof v4;
  }
  auto &v6 = reinterpret_cast<sockaddr_in6 &>(raw);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port.value);
  std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
  return sizeof v6;
}

Result<UniqueFd> connect_to(const SocketAddress &to, Clock::time_point deadline) {
  const auto doing = "connect to " + to.str();
  sockaddr_storage raw{};
  const auto size = fill(to, raw);
  UniqueFd fd(::socket(raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  if (::connect(fd.get(), reinterpret_cast<sockaddr *>(&raw), size) == 0)
    return fd;
  if (errno != EINPROGRESS)
    return fail(Error::from_errno(errno, doing));
  if (auto ready = wait_for(fd.get(), POLLOUT, deadline, doing); !ready)
    return fail(std::move(ready.error()));
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0)
    return fail(Error::from_errno(error, doing));
  return fd;
}

/// "HTTP/1.1 200 OK" to 200; 0 if it is no such line.
int status_of(const std::string &answer) {
  const auto blank = answer.find(' ');
  if (answer.rfind("HTTP/", 0) != 0 || blank == std::string::npos)
    return 0;
  return std::atoi(answer.c_str() + blank + 1);
}

} // namespace

Result<> probe_tcp(const SocketAddress &to, std::chrono::milliseconds timeout) {
  if (auto connected = connect_to(to, Clock::now() + timeout); !connected)
    return fail(std::move(connected.error()));
  return {};
}

Result<> probe_http(const SocketAddress &to, const std::string &host, const std::string &path,
                    std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto doing = "GET http://" + to.str() + path;
  SLUICE_ASSIGN(const auto fd, connect_to(to, deadline), doing);
  const auto request = "GET " + path + " HTTP/1.1\r\nHost: " + (host.empty() ? to.str() : host) +
                       "\r\nUser-Agent: sluice-podlet\r\nConnection: close\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    return fail(Error::from_errno(errno, doing));
  std::string answer;
  while (answer.find("\r\n") == std::string::npos && answer.size() < 4096) {
    if (auto ready = wait_for(fd.get(), POLLIN, deadline, doing); !ready)
      return ready;
    char buffer[1024];
    const auto got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got <= 0)
      return fail(Errc::io, doing + ": the connection was closed without an answer");
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  const int status = status_of(answer);
  if (status < 200 || status > 399)
    return fail(Errc::unavailable, doing + ": status " + std::to_string(status));
  return {};
}

Result<> probe_exec(kernel::SpawnOptions options, std::chrono::milliseconds timeout) {
  const auto program = options.argv.empty() ? std::string() : options.argv.front();
  SLUICE_ASSIGN(const auto output, kernel::run_program(std::move(options), "", timeout), "probe");
  if (!output.status.success())
    return fail(Errc::unavailable, "\"" + program + "\" " + output.status.str());
  return {};
}

} // namespace sluice::podlet
