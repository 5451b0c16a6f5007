#include "cni/link_removal.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

constexpr int kDeadlineMs = 10'000;
constexpr std::size_t kStackBytes = 32 * 1024 - 256;
/// The announcement of a link's end is below 1 KiB. Of a longer datagram only the beginning is
/// read.
constexpr std::size_t kNotificationBytes = 4 * 1024;

struct Removal {
  nlmsghdr header;
  ifinfomsg link;
};

/// Lives in pages of its own that are never given back: the child may outlive every other object.
/// The stack grows down from the fields, so that both are on its last page.
struct Child {
  alignas(16) std::array<std::byte, kStackBytes> stack;
  Removal request;
  int socket = -1;
  int done = -1;  ///< an eventfd that is written at the end
  int answer = 0; ///< an errno
};

Error failed(const std::string &name) {
  return Error::from_errno(errno, "remove link \"" + name + "\"");
}

/// 0 and errno ENODEV if there is none. Any socket answers.
unsigned index_of(int socket, const std::string &name) {
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  return ::ioctl(socket, SIOCGIFINDEX, &request) == 0 ? static_cast<unsigned>(request.ifr_ifindex)
                                                      : 0U;
}

Removal removal_of(unsigned index) {
  Removal request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_DELLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = static_cast<int>(index);
  return request;
}

/// Blocks until the kernel answers. No memory but the stack: it also runs in the child.
int ask(int socket, const Removal &request) {
  if (::send(socket, &request, sizeof request, 0) < 0)
    return errno;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> more; // the request quoted, the kernel's text
  } reply{};
  if (::recv(socket, &reply, sizeof reply, 0) < 0)
    return errno;
  return reply.header.nlmsg_type == NLMSG_ERROR ? -reply.error.error : 0;
}

int run_child(void *argument) {
  auto &child = *static_cast<Child *>(argument);
  // The runtime reads our stdout to its end.
  ::close(STDIN_FILENO);
  ::close(STDOUT_FILENO);
  ::close(STDERR_FILENO);
  child.answer = ask(child.socket, child.request);
  const std::uint64_t one = 1;
  (void)!::write(child.done, &one, sizeof one);
  ::_exit(0);
}

bool announces(const nlmsghdr &message, unsigned index) {
  if (message.nlmsg_type != RTM_DELLINK)
    return false;
  const auto &link = *static_cast<const ifinfomsg *>(NLMSG_DATA(&message));
  // A bridge says so of the port first, in its own family.
  return link.ifi_family == AF_UNSPEC && static_cast<unsigned>(link.ifi_index) == index;
}

/// Reads one datagram of notifications. False if it says nothing of the link.
bool hears_of_the_end(int listener, unsigned index) {
  alignas(nlmsghdr) std::array<char, kNotificationBytes> buffer;
  const auto got = ::recv(listener, buffer.data(), buffer.size(), MSG_DONTWAIT);
  auto left = static_cast<unsigned>(got > 0 ? got : 0);
  for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, left);
       message = NLMSG_NEXT(message, left))
    if (announces(*message, index))
      return true;
  return false;
}

Child *start_child(int socket, int done, unsigned index) {
  void *pages =
      ::mmap(nullptr, sizeof(Child), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    return nullptr;
  auto *child = static_cast<Child *>(pages); // zeroed; a Child is plain data
  child->request = removal_of(index);
  child->socket = socket;
  child->done = done;
  if (::clone(run_child, child->stack.data() + child->stack.size(), CLONE_VM, child) < 0) {
    ::munmap(pages, sizeof(Child));
    return nullptr;
  }
  return child;
}

Outcome<bool> wait_for_end(const std::string &name, int listener, unsigned index,
                           const Child &child) {
  std::array<pollfd, 2> fds = {{{listener, POLLIN, 0}, {child.done, POLLIN, 0}}};
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), kDeadlineMs);
    if (ready == 0)
      return fail(Code::try_again, "remove link \"" + name + "\": the kernel does not answer");
    if (ready > 0 && fds[0].revents != 0 && hears_of_the_end(listener, index))
      return true;
    if (ready > 0 && fds[1].revents != 0) {
      errno = child.answer;
      if (child.answer != 0 && child.answer != ENODEV)
        return fail(failed(name));
      return child.answer == 0;
    }
  }
}

} // namespace

Result<UniqueFd> open_route_socket(unsigned groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    return fail(Error::from_errno(errno, "open a rtnetlink socket"));
  return fd;
}

Outcome<bool> remove_link(const std::string &name) {
  SLUICE_TAKE(const UniqueFd listener, open_route_socket(RTMGRP_LINK));
  const auto index = index_of(listener.get(), name);
  if (index == 0 && errno == ENODEV)
    return false;
  if (index == 0)
    return fail(failed(name));
  SLUICE_TAKE(const UniqueFd socket, open_route_socket(0));
  const UniqueFd done(::eventfd(0, EFD_CLOEXEC));
  if (const Child *child = start_child(socket.get(), done.get(), index))
    return wait_for_end(name, listener.get(), index, *child);
  errno = ask(socket.get(), removal_of(index));
  if (errno != 0 && errno != ENODEV)
    return fail(failed(name));
  return errno == 0;
}

} // namespace sluice::cni
