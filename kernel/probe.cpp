#include "kernel/probe.hpp"

#include "kernel/netns.hpp"
#include "kernel/rtnl/netlink_socket.hpp"
#include "kernel/sysctl.hpp"

#include <cerrno>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace sluice::kernel {
namespace {

/// Asks for a link of that kind without what the kind demands: a kernel that knows the kind
/// complains about that or makes the link, one that does not says EOPNOTSUPP.
Result<> try_link_kind(const std::string &kind) {
  SLUICE_ASSIGN(auto socket, rtnl::NetlinkSocket::open(), "probe");
  rtnl::Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  message.nest(IFLA_LINKINFO, [&] { message.put(IFLA_INFO_KIND, kind); });
  socket.queue(message);
  SLUICE_ASSIGN(const auto refused, socket.send(), "probe links of kind " + kind);
  if (!refused.empty() && refused.front().err == EOPNOTSUPP)
    return fail(rtnl::error_of(refused.front(), "add a link of kind " + kind));
  return {};
}

Result<> try_nf_tables() {
  SLUICE_ASSIGN(auto socket, rtnl::NetlinkSocket::open(NETLINK_NETFILTER), "probe nf_tables");
  return socket.ask(rtnl::Message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, 0, nfgenmsg{}),
                    "read the generation of nf_tables", [](const nlmsghdr &) {});
}

Result<> try_br_netfilter() {
  const auto value = Sysctl().read("net/bridge/bridge-nf-call-iptables");
  if (!value)
    return fail(Errc::unsupported, "br_netfilter is not loaded: " + value.error().what());
  return {};
}

Result<> try_ipv6() {
  const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket)
    return fail(Error::from_errno(errno, "open an IPv6 socket"));
  return {};
}

} // namespace

Result<Features> probe_features() {
  SLUICE_ASSIGN(const auto ns, NetNs::create(), "probe the kernel");
  return ns.run([]() -> Result<Features> {
    return Features{.nf_tables = try_nf_tables(),
                    .bridge = try_link_kind("bridge"),
                    .br_netfilter = try_br_netfilter(),
                    .veth = try_link_kind("veth"),
                    .vxlan = try_link_kind("vxlan"),
                    .ipv6 = try_ipv6()};
  });
}

} // namespace sluice::kernel
