#include "proxy/nftables/tests/net_world.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::proxy::nftables::tests {
namespace {

kernel::NetNs fresh_namespace() {
  auto ns = kernel::NetNs::create();
  if (!ns) {
    std::fprintf(stderr, "%s\n", ns.error().what().c_str());
    std::abort();
  }
  return std::move(*ns);
}

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr *get() { return reinterpret_cast<sockaddr *>(&storage); }

  static KernelAddress of(const SocketAddress &address) {
    KernelAddress out;
    if (address.ip.is_v4()) {
      auto *in = reinterpret_cast<sockaddr_in *>(&out.storage);
      in->sin_family = AF_INET;
      in->sin_port = htons(address.port.value);
      std::memcpy(&in->sin_addr, address.ip.bytes().data(), 4);
      out.length = sizeof *in;
    } else {
      auto *in = reinterpret_cast<sockaddr_in6 *>(&out.storage);
      in->sin6_family = AF_INET6;
      in->sin6_port = htons(address.port.value);
      std::memcpy(&in->sin6_addr, address.ip.bytes().data(), 16);
      out.length = sizeof *in;
    }
    return out;
  }
  SocketAddress value() const {
    if (storage.ss_family == AF_INET) {
      const auto *in = reinterpret_cast<const sockaddr_in *>(&storage);
      return {IpAddress::from_v4(ntohl(in->sin_addr.s_addr)), Port(ntohs(in->sin_port))};
    }
    const auto *in = reinterpret_cast<const sockaddr_in6 *>(&storage);
    return {IpAddress::from_bytes({in->sin6_addr.s6_addr, 16}), Port(ntohs(in->sin6_port))};
  }
};

IpAddress any(Family family) {
  const std::uint8_t zeros[16] = {};
  return IpAddress::from_bytes({zeros, family == Family::ipv4 ? 4U : 16U});
}

} // namespace

std::string run(const kernel::NetNs &ns, const std::string &command) {
  std::string text;
  const auto done = ns.run([&]() -> Result<> {
    FILE *pipe = ::popen((command + " 2>&1").c_str(), "r");
    char buffer[4096];
    while (const auto got = std::fread(buffer, 1, sizeof buffer, pipe))
      text.append(buffer, got);
    if (::pclose(pipe) != 0)
      return fail(Errc::kernel, command + " failed: " + text);
    return {};
  });
  EXPECT_TRUE(done) << done.error().what();
  return text;
}

NetWorld::NetWorld()
    : node(fresh_namespace()), client(fresh_namespace()), first(fresh_namespace()),
      second(fresh_namespace()), outside(fresh_namespace()) {
  run(node.ns, "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  for (const auto *host : {&node, &client, &first, &second, &outside})
    run(host->ns, "sysctl -q -w net.ipv6.conf.default.accept_dad=0");
  node.v4 = *IpAddress::parse("192.0.2.1");
  node.v6 = *IpAddress::parse("2001:db8::1");
  attach(client, "pod2", "10.244.0.2", "fd00:10:244::2", "10.244.0.1", "fd00:10:244::1");
  attach(first, "pod3", "10.244.0.3", "fd00:10:244::3", "10.244.0.1", "fd00:10:244::1");
  attach(second, "pod4", "10.244.0.4", "fd00:10:244::4", "10.244.0.1", "fd00:10:244::1");
  attach(outside, "uplink", "192.0.2.10", "2001:db8::10", "192.0.2.1", "2001:db8::1");
  // A packet to a service address that is not translated is routed before it is refused.
  run(node.ns, "ip route add default via 192.0.2.10 && ip -6 route add default via 2001:db8::10");
}

void NetWorld::attach(Host &host, const std::string &link, const std::string &v4,
                      const std::string &v6, const std::string &node_v4,
                      const std::string &node_v6) {
  host.v4 = *IpAddress::parse(v4);
  host.v6 = *IpAddress::parse(v6);
  const auto ns = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(host.ns.fd());
  run(node.ns, "ip link add " + link + " type veth peer name eth0 netns " + ns);
  run(node.ns, "ip link set " + link + " up && ip addr add " + node_v4 + "/32 dev " + link +
                   " && ip -6 addr add " + node_v6 + "/128 dev " + link + " nodad");
  run(host.ns, "ip link set eth0 up && ip addr add " + v4 + "/32 dev eth0 && ip -6 addr add " + v6 +
                   "/128 dev eth0 nodad");
  run(host.ns, "ip route add " + node_v4 + " dev eth0 && ip route add default via " + node_v4 +
                   " && ip -6 route add " + node_v6 + " dev eth0 && ip -6 route add default via " +
                   node_v6);
  run(node.ns, "ip route add " + v4 + " dev " + link + " src " + node_v4 + " && ip -6 route add " +
                   v6 + " dev " + link + " src " + node_v6);
}

Socket::Socket(const Host &host, Family family, Protocol protocol) {
  auto made = host.ns.run([&]() -> Result<UniqueFd> {
    const int type = protocol == Protocol::udp ? SOCK_DGRAM : SOCK_STREAM;
    UniqueFd fd(::socket(family == Family::ipv4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    if (!fd)
      return fail(Error::from_errno(errno, "socket"));
    return fd;
  });
  EXPECT_TRUE(made) << made.error().what();
  fd_ = std::move(*made);
}

Socket Socket::listening(const Host &host, Family family, Protocol protocol, Port port) {
  Socket socket(host, family, protocol);
  auto address = KernelAddress::of({any(family), port});
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  EXPECT_EQ(::bind(socket.fd(), address.get(), address.length), 0) << std::strerror(errno);
  if (protocol == Protocol::tcp) {
    EXPECT_EQ(::listen(socket.fd(), 512), 0) << std::strerror(errno);
  }
  return socket;
}

void Socket::bind(const IpAddress &source, Port port) {
  auto address = KernelAddress::of({source, port});
  EXPECT_EQ(::bind(fd(), address.get(), address.length), 0) << std::strerror(errno);
}

int Socket::connect(const SocketAddress &to, int deadline_ms) {
  auto address = KernelAddress::of(to);
  ::fcntl(fd(), F_SETFL, O_NONBLOCK);
  int error = ::connect(fd(), address.get(), address.length) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd wait{.fd = fd(), .events = POLLOUT, .revents = 0};
    if (::poll(&wait, 1, deadline_ms) == 0)
      return ETIMEDOUT;
    socklen_t length = sizeof error;
    ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  ::fcntl(fd(), F_SETFL, 0);
  return error;
}

Socket Socket::accept() {
  Socket accepted;
  if (readable())
    accepted.fd_ = UniqueFd(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(accepted.fd_) << "nobody connected";
  return accepted;
}

bool Socket::readable(int deadline_ms) const {
  pollfd wait{.fd = fd(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, deadline_ms) == 1;
}

void Socket::send(const std::string &text) {
  EXPECT_EQ(::send(fd(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()))
      << std::strerror(errno);
}

std::string Socket::receive() {
  if (!readable())
    return "nothing";
  char buffer[512];
  const auto got = ::recv(fd(), buffer, sizeof buffer, 0);
  return got < 0 ? "errno " + std::to_string(errno)
                 : std::string(buffer, static_cast<std::size_t>(got));
}

void Socket::send_to(const std::string &text, const SocketAddress &to) {
  auto address = KernelAddress::of(to);
  EXPECT_EQ(::sendto(fd(), text.data(), text.size(), 0, address.get(), address.length),
            static_cast<ssize_t>(text.size()))
      << std::strerror(errno);
}

std::pair<std::string, SocketAddress> Socket::receive_from() {
  if (!readable())
    return {"nothing", {}};
  char buffer[512];
  KernelAddress from;
  const auto got = ::recvfrom(fd(), buffer, sizeof buffer, 0, from.get(), &from.length);
  if (got < 0)
    return {"errno " + std::to_string(errno), {}};
  return {std::string(buffer, static_cast<std::size_t>(got)), from.value()};
}

SocketAddress Socket::peer() const {
  KernelAddress address;
  EXPECT_EQ(::getpeername(fd(), address.get(), &address.length), 0) << std::strerror(errno);
  return address.value();
}

SocketAddress Socket::local() const {
  KernelAddress address;
  EXPECT_EQ(::getsockname(fd(), address.get(), &address.length), 0) << std::strerror(errno);
  return address.value();
}

Socket *first_readable(std::vector<Socket *> sockets) {
  std::vector<pollfd> waits;
  for (const auto *socket : sockets)
    waits.push_back({.fd = socket->fd(), .events = POLLIN, .revents = 0});
  ::poll(waits.data(), waits.size(), 5000);
  for (std::size_t i = 0; i < waits.size(); ++i)
    if ((waits[i].revents & POLLIN) != 0)
      return sockets[i];
  return nullptr;
}

} // namespace sluice::proxy::nftables::tests
