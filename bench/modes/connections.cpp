#include "bench/modes/connections.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {
namespace {

constexpr std::size_t kRequest = 64, kAnswer = 128;

[[noreturn]] void die(const char *what) {
  std::fprintf(stderr, "modes: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

sockaddr_in kernel_address(const SocketAddress &address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(address.port.value);
  std::memcpy(&in.sin_addr, address.ip.bytes().data(), 4);
  return in;
}

UniqueFd new_socket(const kernel::NetNs &ns, int flags) {
  auto made = ns.run([&]() -> Result<UniqueFd> {
    return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  });
  if (!made || !*made)
    die("socket");
  return std::move(*made);
}

void watch(const UniqueFd &epoll, int fd) {
  epoll_event event{EPOLLIN, {.fd = fd}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    die("epoll_ctl");
}

/// One connection from beginning to end, on a socket made inside the namespace.
void one_connection(const sockaddr_in &to) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const linger reset{1, 0}; // or the ports of the client run out
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  char buffer[kAnswer] = {};
  if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&to), sizeof to) != 0)
    die("connect");
  if (::send(fd.get(), buffer, kRequest, 0) != static_cast<ssize_t>(kRequest))
    die("send");
  if (::recv(fd.get(), buffer, kAnswer, MSG_WAITALL) != static_cast<ssize_t>(kAnswer))
    die("receive");
}

double cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  double sum = 0;
  for (const auto &part : {usage.ru_utime, usage.ru_stime})
    sum += static_cast<double>(part.tv_sec) * 1e6 + static_cast<double>(part.tv_usec);
  return sum;
}

} // namespace

Server::Server(const kernel::NetNs &ns, Port first, std::uint16_t ports)
    : stop_(::eventfd(0, EFD_CLOEXEC)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (std::uint16_t offset = 0; offset < ports; ++offset) {
    auto fd = new_socket(ns, SOCK_NONBLOCK);
    const auto port = static_cast<std::uint16_t>(first.value + offset);
    const auto at = kernel_address({IpAddress::from_v4(0), Port(port)});
    if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&at), sizeof at) != 0 ||
        ::listen(fd.get(), 1024) != 0)
      die("listen");
    watch(epoll_, fd.get());
    listeners_.push_back(std::move(fd));
  }
  watch(epoll_, stop_.get());
  thread_ = std::thread([this] { run(); });
}

Server::~Server() {
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Server::run() {
  std::array<epoll_event, 64> events{};
  const auto is_listener = [&](int fd) {
    return std::any_of(listeners_.begin(), listeners_.end(),
                       [&](const UniqueFd &listener) { return listener.get() == fd; });
  };
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int at = 0; at < count; ++at) {
      const int fd = events[static_cast<std::size_t>(at)].data.fd;
      if (fd == stop_.get())
        return;
      if (is_listener(fd)) {
        for (int peer; (peer = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
          watch(epoll_, peer);
        continue;
      }
      char buffer[kAnswer] = {};
      if (::recv(fd, buffer, sizeof buffer, 0) <= 0)
        ::close(fd);
      else
        (void)::send(fd, buffer, kAnswer, MSG_NOSIGNAL);
    }
  }
}

Rate connection_rate(const kernel::NetNs &ns, const SocketAddress &to, unsigned in_flight,
                     std::chrono::milliseconds time) {
  const auto address = kernel_address(to);
  std::atomic<std::uint64_t> count{0};
  const auto cpu = cpu_us();
  const auto begin = std::chrono::steady_clock::now(), end = begin + time;
  std::vector<std::thread> clients;
  for (unsigned client = 0; client < in_flight; ++client)
    clients.emplace_back([&] {
      if (!ns.enter())
        die("enter the client's namespace");
      std::uint64_t mine = 0;
      for (; std::chrono::steady_clock::now() < end; ++mine)
        one_connection(address);
      count += mine;
    });
  for (auto &client : clients)
    client.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const auto done = static_cast<double>(count.load());
  return {done / took.count(), (cpu_us() - cpu) / done};
}

} // namespace sluice::bench
