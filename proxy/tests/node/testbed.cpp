#include "proxy/tests/node/testbed.hpp"

#include "kernel/spawn.hpp"
#include "kernel/sysctl.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace sluice::proxy::test {
namespace {

constexpr Port kServerPort{8080};

Error system_error(const std::string &what) { return Error::from_errno(errno, what); }

sockaddr_in6 any_address(Port port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port.value);
  return address;
}

/// A socket for both families.
Result<UniqueFd> bound(int type, Port port) {
  UniqueFd fd(::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int off = 0, on = 1;
  const auto address = any_address(port);
  if (!fd || ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
      (type == SOCK_STREAM && ::listen(fd.get(), 128) != 0))
    return fail(system_error("listen on port " + std::to_string(port.value)));
  return fd;
}

std::string text_of(const sockaddr_in6 &peer) {
  const auto *bytes = reinterpret_cast<const std::uint8_t *>(&peer.sin6_addr);
  if (IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr))
    return IpAddress::from_bytes({bytes + 12, 4}).str();
  return IpAddress::from_bytes({bytes, 16}).str();
}

std::pair<sockaddr_storage, socklen_t> to_sockaddr(const SocketAddress &to) {
  sockaddr_storage storage{};
  if (to.ip.is_v4()) {
    auto &v4 = reinterpret_cast<sockaddr_in &>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(to.port.value);
    v4.sin_addr.s_addr = htonl(to.ip.v4());
    return {storage, sizeof v4};
  }
  auto &v6 = reinterpret_cast<sockaddr_in6 &>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(to.port.value);
  std::copy(to.ip.bytes().begin(), to.ip.bytes().end(),
            reinterpret_cast<std::uint8_t *>(&v6.sin6_addr));
  return {storage, sizeof v6};
}

Result<> wait_for(int fd, short events, std::chrono::milliseconds timeout) {
  pollfd one{fd, events, 0};
  const int ready = ::poll(&one, 1, static_cast<int>(timeout.count()));
  if (ready < 0)
    return fail(system_error("wait"));
  if (ready == 0)
    return fail(Error::from_errno(ETIMEDOUT, "wait"));
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0)
    return fail(Error::from_errno(error, "connect"));
  return {};
}

Result<> set_sysctls(const kernel::NetNs &where,
                     const std::vector<std::pair<std::string, std::string>> &values) {
  return where.run([&]() -> Result<> {
    for (const auto &[name, value] : values)
      SLUICE_TRY(kernel::Sysctl().write(name, value), name);
    return {};
  });
}

/// A source port that no other client of this program has had for long: mode ipvs mixes up two
/// connections from one port to one endpoint (docs/modes.md, case 14.12).
Result<> take_port(int fd, const IpAddress &to) {
  constexpr std::uint16_t kFirst = 10000, kCount = 20000;
  static std::atomic<std::uint16_t> taken{0};
  const Port port(static_cast<std::uint16_t>(kFirst + taken++ % kCount));
  const auto any = to.is_v4() ? IpAddress::from_v4(0) : *IpAddress::parse("::");
  const auto [address, size] = to_sockaddr({any, port});
  if (::bind(fd, reinterpret_cast<const sockaddr *>(&address), size) != 0)
    return fail(system_error("bind to port " + std::to_string(port.value)));
  return {};
}

} // namespace

Result<std::unique_ptr<NamedServer>> NamedServer::start(const kernel::NetNs &where,
                                                        std::string name, Port port) {
  SLUICE_ASSIGN(auto tcp, where.run([&] { return bound(SOCK_STREAM, port); }), name);
  SLUICE_ASSIGN(auto udp, where.run([&] { return bound(SOCK_DGRAM, port); }), name);
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  return std::unique_ptr<NamedServer>(
      new NamedServer(std::move(name), std::move(tcp), std::move(udp), std::move(stop)));
}

NamedServer::NamedServer(std::string name, UniqueFd tcp, UniqueFd udp, UniqueFd stop)
    : name_(std::move(name)), tcp_(std::move(tcp)), udp_(std::move(udp)), stop_(std::move(stop)),
      thread_([this] { run(); }) {}

NamedServer::~NamedServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void NamedServer::run() {
  struct Connection {
    UniqueFd fd;
    std::string peer;
  };
  std::vector<Connection> connections;
  for (;;) {
    std::vector<pollfd> fds{
        {stop_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}};
    for (const auto &connection : connections)
      fds.push_back({connection.fd.get(), POLLIN, 0});
    if (::poll(fds.data(), fds.size(), -1) < 0 || fds[0].revents != 0)
      return;
    for (std::size_t i = connections.size(); i-- > 0;) {
      if (fds[i + 3].revents == 0)
        continue;
      std::array<char, 256> buffer{};
      const auto answer = name_ + " " + connections[i].peer;
      if (::read(connections[i].fd.get(), buffer.data(), buffer.size()) <= 0 ||
          ::send(connections[i].fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0)
        connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (fds[1].revents != 0) {
      sockaddr_in6 peer{};
      socklen_t size = sizeof peer;
      UniqueFd fd(::accept4(tcp_.get(), reinterpret_cast<sockaddr *>(&peer), &size, SOCK_CLOEXEC));
      if (fd)
        connections.push_back({std::move(fd), text_of(peer)});
    }
    if (fds[2].revents != 0)
      answer_udp();
  }
}

void NamedServer::answer_udp() {
  std::array<char, 256> buffer{};
  sockaddr_in6 peer{};
  socklen_t size = sizeof peer;
  if (::recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr *>(&peer),
                 &size) < 0)
    return;
  const auto answer = name_ + " " + text_of(peer);
  ::sendto(udp_.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr *>(&peer),
           size);
}

Result<TestClient> TestClient::connect(const kernel::NetNs &where, SocketAddress to,
                                       Protocol protocol, std::chrono::milliseconds timeout) {
  SLUICE_ASSIGN(auto fd, where.run([&]() -> Result<UniqueFd> {
    const int type = protocol == Protocol::udp ? SOCK_DGRAM : SOCK_STREAM;
    UniqueFd made(
        ::socket(to.ip.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made)
      return fail(system_error("socket"));
    SLUICE_TRY(take_port(made.get(), to.ip), "socket");
    return made;
  }),
                "open a socket");
  const auto [address, size] = to_sockaddr(to);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), size) != 0 &&
      errno != EINPROGRESS)
    return fail(system_error("connect to " + to.str()));
  SLUICE_TRY(wait_for(fd.get(), POLLOUT, timeout), "connect to " + to.str());
  return TestClient(std::move(fd), timeout);
}

Result<std::string> TestClient::ask() {
  if (::send(fd_.get(), "?\n", 2, MSG_NOSIGNAL) < 0)
    return fail(system_error("send"));
  SLUICE_TRY(wait_for(fd_.get(), POLLIN, timeout_), "wait for the answer");
  std::array<char, 256> buffer{};
  const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0)
    return fail(system_error("receive"));
  if (got == 0)
    return fail(Errc::io, "the connection was closed");
  return std::string(buffer.data(), static_cast<std::size_t>(got));
}

Result<std::unique_ptr<Testbed>> Testbed::create(unsigned pods) {
  SLUICE_ASSIGN(auto node, kernel::NetNs::create(), "the node's namespace");
  std::unique_ptr<Testbed> bed(new Testbed(std::move(node)));
  SLUICE_TRY(set_sysctls(bed->node_, {{"net/ipv4/ip_forward", "1"},
                                      {"net/ipv6/conf/all/forwarding", "1"},
                                      {"net/ipv6/conf/default/accept_dad", "0"}}),
             "prepare the node");
  // A packet to a service address is routed before it is translated: a node has a default route.
  SLUICE_TRY(run_inside(bed->node_, {"ip", "-batch", "-"},
                        "link add uplink type veth peer name outside\nlink set uplink up\n"
                        "link set outside up\n"
                        "addr add 192.0.2.1/24 dev uplink\n"
                        "addr add 2001:db8:2::1/64 dev uplink nodad\n"
                        "route add default via 192.0.2.254\n"
                        "route add default via 2001:db8:2::fe\n"),
             "the node's uplink");
  for (unsigned number = 1; number <= pods; ++number)
    SLUICE_TRY(bed->add_pod(number), "pod " + std::to_string(number));
  return bed;
}

Result<> Testbed::add_pod(unsigned number) {
  SLUICE_ASSIGN(auto netns, kernel::NetNs::create(), "its namespace");
  SLUICE_TRY(set_sysctls(netns, {{"net/ipv6/conf/default/accept_dad", "0"}}), "its namespace");
  const auto n = std::to_string(number);
  const auto v4 = "10.244." + n + ".", v6 = "2001:db8:244:" + n + "::";
  const auto peer = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(netns.fd());
  SLUICE_TRY(run_inside(node_, {"ip", "-batch", "-"},
                        "link add pod" + n + " type veth peer name eth0 netns " + peer + "\n" +
                            "addr add " + v4 + "1/24 dev pod" + n + "\n" + "addr add " + v6 +
                            "1/64 dev pod" + n + " nodad\n" + "link set pod" + n + " up\n"),
             "the node's end");
  SLUICE_TRY(run_inside(netns, {"ip", "-batch", "-"},
                        "link set eth0 up\naddr add " + v4 + "2/24 dev eth0\naddr add " + v6 +
                            "2/64 dev eth0 nodad\nroute add default via " + v4 +
                            "1\nroute add default via " + v6 + "1\n"),
             "the pod's end");
  SLUICE_ASSIGN(auto server, NamedServer::start(netns, "pod" + n, kServerPort), "its server");
  pods_.push_back({std::move(netns), IpAddress::parse(v4 + "2").value(),
                   IpAddress::parse(v6 + "2").value(), std::move(server)});
  return {};
}

std::string Testbed::ask(const kernel::NetNs &from, SocketAddress to, Protocol protocol) const {
  const auto words = [](const Error &error) -> std::string {
    if (error.sys() == ECONNREFUSED)
      return "refused";
    return error.sys() == ETIMEDOUT ? "timeout" : error.what();
  };
  auto client = TestClient::connect(from, to, protocol, std::chrono::seconds(2));
  if (!client)
    return words(client.error());
  const auto answer = client->ask();
  return answer ? *answer : words(answer.error());
}

Result<std::string> run_inside(const kernel::NetNs &where, std::vector<std::string> argv,
                               const std::string &input) {
  kernel::SpawnOptions options;
  const auto name = argv.front();
  options.argv = std::move(argv);
  options.netns_fd = where.fd();
  SLUICE_ASSIGN(const auto output,
                kernel::run_program(std::move(options), input, std::chrono::seconds(20)), name);
  if (!output.status.success())
    return fail(Errc::io, name + " " + output.status.str() + ": " + output.stderr_text);
  return output.stdout_text;
}

} // namespace sluice::proxy::test
