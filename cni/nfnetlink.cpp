#include "cni/nfnetlink.hpp"

#include <cerrno>

namespace sluice::cni {

Result<UniqueFd> open_netfilter_socket() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) // the first send(2) binds it
    return fail(Error::from_errno(errno, "open a netfilter socket"));
  return fd;
}

Result<> send_netfilter(const UniqueFd &fd, std::vector<kernel::rtnl::Message> &messages) {
  std::vector<std::uint8_t> buffer;
  std::uint32_t sequence = 0;
  for (auto &message : messages) {
    message.header().nlmsg_seq = ++sequence;
    const auto bytes = message.bytes();
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
    buffer.resize(NLMSG_ALIGN(buffer.size()));
  }
  if (::send(fd.get(), buffer.data(), buffer.size(), 0) < 0)
    return fail(Error::from_errno(errno, "send to netfilter"));
  return {};
}

} // namespace sluice::cni
