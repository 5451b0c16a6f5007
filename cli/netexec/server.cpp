#include "cli/netexec/server.hpp"

#include "cli/netexec/answer.hpp"
#include "cli/netexec/sockets.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unordered_map>

namespace sluice::netexec {
namespace {

constexpr std::size_t kLineLimitBytes = 64U << 10;

struct Connection {
  UniqueFd fd;
  SocketAddress client, server;
  bool http = false;
  std::string in, out;
  bool close_after_out = false;
};

/// The address a datagram was sent to, from the control data of recvmsg(2); answers leave from it.
IpAddress destination_of(const msghdr &message) {
  for (auto *c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(const_cast<msghdr *>(&message), c)) {
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      sockaddr_in6 raw{};
      raw.sin6_family = AF_INET6;
      std::memcpy(&raw.sin6_addr, CMSG_DATA(c), sizeof raw.sin6_addr);
      sockaddr_storage storage{};
      std::memcpy(&storage, &raw, sizeof raw);
      return to_address(storage).ip;
    }
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return IpAddress::from_v4(ntohl(info.ipi_addr.s_addr));
    }
  }
  return {};
}

/// Keeps the source address of an answer and lets routing choose the link again.
void clear_interface(msghdr &message) {
  for (auto *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    const std::uint32_t none = 0;
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
      std::memcpy(CMSG_DATA(c) + offsetof(in6_pktinfo, ipi6_ifindex), &none, sizeof none);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
      std::memcpy(CMSG_DATA(c) + offsetof(in_pktinfo, ipi_ifindex), &none, sizeof none);
  }
}

Result<UniqueFd> termination_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd)
    return fail(Error::from_errno(errno, "signalfd"));
  return fd;
}

} // namespace

struct Server::Impl {
  ServerOptions options;
  UniqueFd epoll, signals, drain_timer, http, tcp, udp;
  std::unordered_map<int, Connection> connections;
  bool ready = true;
  std::optional<int> exit_code;

  Result<> watch(int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return fail(Error::from_errno(errno, "epoll_ctl"));
    return {};
  }

  std::string line(const char *protocol, const SocketAddress &client,
                   const SocketAddress &server) const {
    return describe({options.pod, protocol, client, server});
  }

  std::string answer_http(const Connection &connection, const HttpRequest &request) {
    const auto reply = [&](int status, const std::string &body) {
      return http_answer(status, body + "\n", request.keep_alive);
    };
    if (request.path == "/")
      return reply(200, line("http", connection.client, connection.server));
    if (request.path == "/hostname")
      return reply(200, options.pod);
    if (request.path == "/clientip")
      return reply(200, connection.client.ip.str());
    if (request.path == "/healthz")
      return reply(200, "ok");
    if (request.path == "/readyz")
      return reply(ready ? 200 : 503, ready ? "ok" : "not ready");
    if (request.path == "/ready" || request.path == "/unready") {
      ready = request.path == "/ready";
      return reply(200, "ok");
    }
    if (request.path == "/exit") {
      exit_code = std::atoi(request.query.c_str());
      return reply(200, "leaving");
    }
    return reply(404, "no such path: " + request.path);
  }

  void answer_http_requests(Connection &connection) {
    while (!connection.close_after_out) {
      auto request = parse_http(connection.in);
      if (!request) {
        connection.out += http_answer(400, request.error().what() + "\n", false);
        connection.close_after_out = true;
        return;
      }
      if (!*request)
        return;
      connection.out += answer_http(connection, **request);
      connection.close_after_out = !(*request)->keep_alive;
      connection.in.erase(0, (*request)->total_bytes);
    }
  }

  void answer_lines(Connection &connection) {
    for (auto end = connection.in.find('\n'); end != std::string::npos;
         end = connection.in.find('\n')) {
      connection.out += line("tcp", connection.client, connection.server) +
                        " echo=" + connection.in.substr(0, end + 1);
      connection.in.erase(0, end + 1);
    }
    if (connection.in.size() > kLineLimitBytes)
      connection.close_after_out = true;
  }

  void accept_all(const UniqueFd &listener, bool is_http) {
    for (;;) {
      sockaddr_storage raw{};
      socklen_t size = sizeof raw;
      UniqueFd fd(::accept4(listener.get(), reinterpret_cast<sockaddr *>(&raw), &size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd)
        return;
      const int key = fd.get();
      if (!watch(key, EPOLLIN | EPOLLRDHUP))
        continue;
      connections[key] = {std::move(fd), to_address(raw), local_of(key), is_http, {}, {}, false};
    }
  }

  /// False once the connection is over.
  bool flush(Connection &connection) const {
    while (!connection.out.empty()) {
      const auto sent =
          ::send(connection.fd.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN)
        return false;
      if (sent < 0)
        break;
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection.out.empty())
      return !connection.close_after_out;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    event.data.fd = connection.fd.get();
    ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, connection.fd.get(), &event);
    return true;
  }

  /// False once the connection is over.
  bool serve(Connection &connection) {
    char buffer[16384];
    bool ended = false;
    for (;;) {
      const auto got = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
      if (got > 0) {
        connection.in.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      ended = got == 0 || errno != EAGAIN;
      break;
    }
    if (connection.http)
      answer_http_requests(connection);
    else
      answer_lines(connection);
    return flush(connection) && !ended;
  }

  void answer_datagrams() {
    for (;;) {
      char payload[65536];
      alignas(cmsghdr) char control[256];
      sockaddr_storage raw{};
      iovec part{payload, sizeof payload};
      msghdr message{};
      message.msg_name = &raw;
      message.msg_namelen = sizeof raw;
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const auto got = ::recvmsg(udp.get(), &message, 0);
      if (got < 0)
        return;
      const SocketAddress server{destination_of(message), local_of(udp.get()).port};
      std::string answer = line("udp", to_address(raw), server) +
                           " echo=" + std::string(payload, static_cast<std::size_t>(got));
      clear_interface(message);
      part = {answer.data(), answer.size()};
      ::sendmsg(udp.get(), &message, 0);
    }
  }

  void begin_to_leave() {
    if (options.drain.count() == 0) {
      exit_code = 0;
      return;
    }
    ready = false;
    itimerspec due{};
    due.it_value.tv_sec = options.drain.count() / 1000;
    due.it_value.tv_nsec = options.drain.count() % 1000 * 1000000;
    ::timerfd_settime(drain_timer.get(), 0, &due, nullptr);
  }

  void handle(int fd) {
    if (fd == signals.get()) {
      signalfd_siginfo info{};
      if (::read(fd, &info, sizeof info) == sizeof info)
        begin_to_leave();
    } else if (fd == drain_timer.get()) {
      exit_code = 0;
    } else if (fd == http.get()) {
      accept_all(http, true);
    } else if (fd == tcp.get()) {
      accept_all(tcp, false);
    } else if (fd == udp.get()) {
      answer_datagrams();
    } else if (const auto found = connections.find(fd);
               found != connections.end() && !serve(found->second)) {
      connections.erase(found);
    }
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::Server(Server &&) noexcept = default;
Server::~Server() = default;

Result<Server> Server::start(ServerOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  impl->drain_timer.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  SLUICE_ASSIGN(impl->signals, termination_signals(), "start");
  if (impl->options.http) {
    SLUICE_ASSIGN(impl->http, listen_on(*impl->options.http, SOCK_STREAM), "serve HTTP");
  }
  if (impl->options.tcp) {
    SLUICE_ASSIGN(impl->tcp, listen_on(*impl->options.tcp, SOCK_STREAM), "serve TCP");
  }
  if (impl->options.udp) {
    SLUICE_ASSIGN(impl->udp, listen_on(*impl->options.udp, SOCK_DGRAM), "serve UDP");
  }
  for (const auto *fd : {&impl->signals, &impl->drain_timer, &impl->http, &impl->tcp, &impl->udp}) {
    if (*fd)
      SLUICE_TRY(impl->watch(fd->get(), EPOLLIN), "start");
  }
  return Server(std::move(impl));
}

Server::Ports Server::ports() const noexcept {
  const auto port = [](const UniqueFd &fd) { return fd ? local_of(fd.get()).port : Port(0); };
  return {port(impl_->http), port(impl_->tcp), port(impl_->udp)};
}

Result<int> Server::run() {
  while (!impl_->exit_code) {
    epoll_event events[64];
    const int count = ::epoll_wait(impl_->epoll.get(), events, 64, -1);
    if (count < 0 && errno != EINTR)
      return fail(Error::from_errno(errno, "epoll_wait"));
    for (int i = 0; i < count; ++i)
      impl_->handle(events[i].data.fd);
  }
  return *impl_->exit_code;
}

} // namespace sluice::netexec
