#include "cli/netexec/client.hpp"

#include "cli/netexec/answer.hpp"
#include "cli/netexec/sockets.hpp"

#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <thread>

namespace sluice::netexec {
namespace {

using Clock = std::chrono::steady_clock;

Result<> wait_for(int fd, short events, Clock::time_point deadline, const std::string &doing) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd one{fd, events, 0};
  const int ready = ::poll(&one, 1, left > 0 ? static_cast<int>(left) : 0);
  if (ready < 0)
    return fail(Error::from_errno(errno, doing));
  if (ready == 0)
    return fail(Errc::timeout, doing + ": no answer in time");
  return {};
}

Result<UniqueFd> connect_to(const Target &target, Clock::time_point deadline) {
  const auto doing = "connect to " + target.address.str();
  sockaddr_storage raw{};
  const auto size = to_sockaddr(target.address, raw);
  const int type = target.kind == CallKind::udp ? SOCK_DGRAM : SOCK_STREAM;
  UniqueFd fd(::socket(raw.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
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

std::string request_text(const Target &target) {
  if (target.kind == CallKind::http)
    return "GET " + target.path + " HTTP/1.1\r\nHost: " + target.address.str() +
           "\r\nConnection: close\r\n\r\n";
  return "hello\n";
}

/// Reads until the answer names its pod or the peer ends.
Result<std::string> read_answer(int fd, const Target &target, Clock::time_point deadline) {
  const auto doing = "answer from " + target.address.str();
  std::string text;
  for (;;) {
    if (auto ready = wait_for(fd, POLLIN, deadline, doing); !ready)
      return fail(std::move(ready.error()));
    char buffer[8192];
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno != EAGAIN)
      return fail(Error::from_errno(errno, doing));
    if (got > 0)
      text.append(buffer, static_cast<std::size_t>(got));
    const bool complete = got == 0 || target.kind == CallKind::udp ||
                          (target.kind == CallKind::tcp && text.find('\n') != std::string::npos);
    if (complete)
      return text;
  }
}

Result<std::string> pod_of(const std::string &answer, const Target &target) {
  std::string_view text(answer);
  if (target.kind == CallKind::http) {
    if (text.substr(0, 12) != "HTTP/1.1 200")
      return fail(Errc::io, "answer from " + target.address.str() + ": " +
                                (text.empty() ? "the connection was closed without one"
                                              : std::string(text.substr(0, text.find('\r')))));
    text.remove_prefix(std::min(text.find("\r\n\r\n") + 4, text.size()));
  }
  const auto pod = pod_in(text);
  return pod.empty() ? std::string("someone else") : std::string(pod);
}

} // namespace

Result<Target> Target::parse(std::string_view url) {
  Target target;
  const auto bad = [&](const std::string &why) {
    return fail(Errc::invalid_input,
                "\"" + std::string(url) + "\" " + why + "; write http://10.96.0.10:80/path");
  };
  std::string_view rest = url;
  const auto scheme = rest.substr(0, rest.find("://"));
  if (scheme == "tcp")
    target.kind = CallKind::tcp;
  else if (scheme == "udp")
    target.kind = CallKind::udp;
  else if (scheme != "http")
    return bad("has no scheme http, tcp or udp");
  rest.remove_prefix(std::min(scheme.size() + 3, rest.size()));
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos)
    target.path = rest.substr(slash);
  std::string authority(rest.substr(0, slash));
  const bool bare_v4 = authority.find(':') == std::string::npos;
  const bool bare_v6 = !authority.empty() && authority.back() == ']';
  if (target.kind == CallKind::http && (bare_v4 || bare_v6))
    authority += ":80";
  auto address = SocketAddress::parse(authority);
  if (!address)
    return bad("names no address and port (" + address.error().what() + ")");
  target.address = *address;
  return target;
}

Result<std::string> exchange(const Target &target, std::string_view text,
                             std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  auto fd = connect_to(target, deadline);
  if (!fd)
    return fail(std::move(fd.error()));
  if (::send(fd->get(), text.data(), text.size(), MSG_NOSIGNAL) < 0)
    return fail(Error::from_errno(errno, "send to " + target.address.str()));
  return read_answer(fd->get(), target, deadline);
}

Result<std::string> call(const Target &target, std::chrono::milliseconds timeout) {
  auto answer = exchange(target, request_text(target), timeout);
  if (!answer)
    return fail(std::move(answer.error()));
  return pod_of(*answer, target);
}

std::string LoadReport::str() const {
  std::string text = std::to_string(sent) + " requests, " + std::to_string(failed) + " failed\n";
  const auto add = [&](const std::string &name, std::size_t count) {
    char line[64];
    std::snprintf(line, sizeof line, "%8zu  %5.1f %%  ", count,
                  100.0 * static_cast<double>(count) / static_cast<double>(sent));
    text += line + name + "\n";
  };
  for (const auto &[pod, count] : answers)
    add(pod, count);
  for (const auto &[message, count] : complaints)
    add("FAILED: " + message, count);
  return text;
}

LoadReport run_load(const LoadOptions &options) {
  LoadReport report;
  const auto start = Clock::now();
  while ((options.requests == 0 || report.sent < options.requests) &&
         (options.duration.count() == 0 || Clock::now() - start < options.duration) &&
         !(options.stop && options.stop())) {
    const auto begin = Clock::now();
    const auto answer = call(options.target, options.timeout);
    ++report.sent;
    if (answer) {
      ++report.answers[*answer];
    } else {
      ++report.failed;
      ++report.complaints[answer.error().what()];
    }
    if (options.on_answer)
      options.on_answer(answer);
    std::this_thread::sleep_until(begin + options.interval);
  }
  return report;
}

} // namespace sluice::netexec
