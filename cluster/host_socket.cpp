#include "cluster/host_socket.hpp"

#include "cluster/exec.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace sluice::cluster {

Result<UniqueFd> listen_on_loopback(Port port) {
  const auto doing = "listen on 127.0.0.1:" + std::to_string(port.value);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.value);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1024) != 0)
    return fail(Error::from_errno(errno, doing));
  return fd;
}

Result<Port> port_of(const UniqueFd &socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr *>(&address), &size) != 0)
    return fail(Error::from_errno(errno, "getsockname"));
  return Port(ntohs(address.sin_port));
}

Result<> exec_with_socket(const std::vector<std::string> &argv) {
  constexpr int kFirstListenFd = 3; // sd_listen_fds(3) SD_LISTEN_FDS_START
  if (::dup2(STDIN_FILENO, kFirstListenFd) < 0)
    return fail(Error::from_errno(errno, "hand the socket over"));
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null || ::dup2(null.get(), STDIN_FILENO) < 0)
    return fail(Error::from_errno(errno, "open \"/dev/null\""));
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  return exec_program(argv);
}

} // namespace sluice::cluster
