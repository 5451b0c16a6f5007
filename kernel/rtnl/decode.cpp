#include "kernel/rtnl/decode.hpp"

#include <array>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

namespace sluice::kernel::rtnl {
namespace {

/// The attributes of one message or of one nested attribute, by type.
template <int Max> class Attributes {
public:
  static std::optional<Attributes> of(const nlmsghdr &message, std::size_t header_bytes) {
    Attributes a;
    const auto bytes = static_cast<int>(header_bytes);
    auto *header = const_cast<nlmsghdr *>(&message);
    if (!nlmsg_valid_hdr(header, bytes) ||
        nla_parse(a.table_.data(), Max, nlmsg_attrdata(header, bytes), nlmsg_attrlen(header, bytes),
                  nullptr) < 0)
      return std::nullopt;
    return a;
  }
  static Attributes inside(nlattr *nest) {
    Attributes a;
    if (nest && nla_parse_nested(a.table_.data(), Max, nest, nullptr) < 0)
      a.table_.fill(nullptr);
    return a;
  }

  nlattr *operator[](int type) const { return table_[static_cast<std::size_t>(type)]; }
  std::uint8_t u8(int type) const { return number<std::uint8_t>(type); }
  std::uint16_t u16(int type) const { return number<std::uint16_t>(type); }
  std::uint32_t u32(int type) const { return number<std::uint32_t>(type); }
  std::string text(int type) const {
    auto *a = (*this)[type];
    if (!a)
      return {};
    const auto *data = static_cast<const char *>(nla_data(a));
    return {data, ::strnlen(data, static_cast<std::size_t>(nla_len(a)))};
  }
  std::optional<IpAddress> ip(int type) const {
    auto *a = (*this)[type];
    return a ? ip_in({static_cast<const std::uint8_t *>(nla_data(a)),
                      static_cast<std::size_t>(nla_len(a))})
             : std::nullopt;
  }
  static std::optional<IpAddress> ip_in(std::span<const std::uint8_t> bytes) {
    if (bytes.size() != 4 && bytes.size() != 16)
      return std::nullopt;
    return IpAddress::from_bytes(bytes);
  }
  MacAddress mac(int type) const {
    std::array<std::uint8_t, 6> bytes{};
    if (auto *a = (*this)[type]; a && nla_len(a) == 6)
      nla_memcpy(bytes.data(), a, 6);
    return MacAddress(bytes);
  }

private:
  template <class Number> Number number(int type) const {
    auto *a = (*this)[type];
    Number value{};
    if (a && nla_len(a) >= static_cast<int>(sizeof value))
      nla_memcpy(&value, a, sizeof value);
    return value;
  }
  std::array<nlattr *, Max + 1> table_{};
};

template <class Header> const Header &header_of(const nlmsghdr &message) {
  return *static_cast<const Header *>(nlmsg_data(&message));
}

std::optional<Family> family_of(int af) noexcept {
  if (af == AF_INET)
    return Family::ipv4;
  if (af == AF_INET6)
    return Family::ipv6;
  return std::nullopt;
}

IpAddress any_address(Family family) {
  static constexpr std::array<std::uint8_t, 16> kZero{};
  return IpAddress::from_bytes(std::span(kZero).first(family == Family::ipv4 ? 4 : 16));
}

std::optional<IpAddress> gateway_of(nlattr *gateway, nlattr *via) {
  using A = Attributes<0>;
  if (gateway)
    return A::ip_in({static_cast<const std::uint8_t *>(nla_data(gateway)),
                     static_cast<std::size_t>(nla_len(gateway))});
  constexpr std::size_t kFamilyBytes = sizeof(rtvia::rtvia_family);
  if (via && nla_len(via) > static_cast<int>(kFamilyBytes))
    return A::ip_in({static_cast<const std::uint8_t *>(nla_data(via)) + kFamilyBytes,
                     static_cast<std::size_t>(nla_len(via)) - kFamilyBytes});
  return std::nullopt;
}

/// RTA_MULTIPATH: a row of rtnexthop, each followed by its own attributes.
std::vector<Route> next_hops(const Route &common, nlattr *multipath) {
  std::vector<Route> routes;
  const auto *data = static_cast<const std::uint8_t *>(nla_data(multipath));
  auto left = static_cast<std::size_t>(nla_len(multipath));
  while (left >= sizeof(rtnexthop)) {
    const auto *hop = reinterpret_cast<const rtnexthop *>(data);
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > left)
      break;
    std::array<nlattr *, RTA_MAX + 1> table{};
    if (nla_parse(table.data(), RTA_MAX,
                  const_cast<nlattr *>(reinterpret_cast<const nlattr *>(hop + 1)),
                  static_cast<int>(hop->rtnh_len - sizeof(rtnexthop)), nullptr) < 0)
      break;
    auto route = common;
    route.link = IfIndex(static_cast<std::uint32_t>(hop->rtnh_ifindex));
    route.gateway = gateway_of(table[RTA_GATEWAY], table[RTA_VIA]);
    route.onlink = (hop->rtnh_flags & RTNH_F_ONLINK) != 0;
    routes.push_back(std::move(route));
    const auto step = std::min<std::size_t>(left, RTNH_ALIGN(hop->rtnh_len));
    data += step;
    left -= step;
  }
  return routes;
}

} // namespace

std::optional<Link> decode_link(const nlmsghdr &message) {
  const auto attributes = Attributes<IFLA_MAX>::of(message, sizeof(ifinfomsg));
  if (!attributes)
    return std::nullopt;
  const auto &a = *attributes;
  const auto &header = header_of<ifinfomsg>(message);
  Link link;
  link.index = IfIndex(static_cast<std::uint32_t>(header.ifi_index));
  link.name = a.text(IFLA_IFNAME);
  link.alias = a.text(IFLA_IFALIAS);
  link.mac = a.mac(IFLA_ADDRESS);
  link.mtu_bytes = a.u32(IFLA_MTU);
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.promiscuous = (header.ifi_flags & IFF_PROMISC) != 0;
  link.all_multicast = (header.ifi_flags & IFF_ALLMULTI) != 0;
  link.tx_queue_packets = a.u32(IFLA_TXQLEN);
  if (a[IFLA_MASTER])
    link.master = IfIndex(a.u32(IFLA_MASTER));
  if (a[IFLA_LINK])
    link.peer = IfIndex(a.u32(IFLA_LINK));
  if (a[IFLA_LINK_NETNSID])
    link.peer_netns_id = static_cast<int>(a.u32(IFLA_LINK_NETNSID));
  const auto info = Attributes<IFLA_INFO_MAX>::inside(a[IFLA_LINKINFO]);
  link.kind = info.text(IFLA_INFO_KIND);
  if (link.kind == "bridge") {
    const auto bridge = Attributes<IFLA_BR_MAX>::inside(info[IFLA_INFO_DATA]);
    link.netfilter =
        bridge.u8(IFLA_BR_NF_CALL_IPTABLES) != 0 && bridge.u8(IFLA_BR_NF_CALL_IP6TABLES) != 0;
    // Told in any case; the default VLAN only by a kernel that can filter.
    if (bridge[IFLA_BR_VLAN_DEFAULT_PVID])
      link.vlan_filtering = bridge.u8(IFLA_BR_VLAN_FILTERING) != 0;
    link.default_pvid = bridge.u16(IFLA_BR_VLAN_DEFAULT_PVID);
  }
  if (info.text(IFLA_INFO_SLAVE_KIND) == "bridge") {
    const auto port = Attributes<IFLA_BRPORT_MAX>::inside(info[IFLA_INFO_SLAVE_DATA]);
    link.hairpin = port.u8(IFLA_BRPORT_MODE) != 0;
    link.isolated = port.u8(IFLA_BRPORT_ISOLATED) != 0;
  }
  return link;
}

std::optional<LinkAddress> decode_address(const nlmsghdr &message) {
  const auto a = Attributes<IFA_MAX>::of(message, sizeof(ifaddrmsg));
  if (!a)
    return std::nullopt;
  const auto &header = header_of<ifaddrmsg>(message);
  // IFA_ADDRESS is the peer's on a point-to-point link; IFA_LOCAL is missing for IPv6.
  const auto ip = (*a)[IFA_LOCAL] ? a->ip(IFA_LOCAL) : a->ip(IFA_ADDRESS);
  if (!ip)
    return std::nullopt;
  return LinkAddress{IfIndex(header.ifa_index), InterfaceAddress{*ip, header.ifa_prefixlen},
                     header.ifa_scope,
                     (*a)[IFA_FLAGS] ? a->u32(IFA_FLAGS) : std::uint32_t{header.ifa_flags}};
}

std::vector<Route> decode_routes(const nlmsghdr &message) {
  const auto a = Attributes<RTA_MAX>::of(message, sizeof(rtmsg));
  if (!a)
    return {};
  const auto &header = header_of<rtmsg>(message);
  const auto family = family_of(header.rtm_family);
  if (!family || (header.rtm_flags & RTM_F_CLONED) != 0)
    return {};
  Route route;
  route.destination = Cidr(a->ip(RTA_DST).value_or(any_address(*family)), header.rtm_dst_len);
  route.gateway = gateway_of((*a)[RTA_GATEWAY], (*a)[RTA_VIA]);
  route.link = IfIndex(a->u32(RTA_OIF));
  route.preferred_source = a->ip(RTA_PREFSRC);
  route.table = (*a)[RTA_TABLE] ? a->u32(RTA_TABLE) : std::uint32_t{header.rtm_table};
  route.priority = a->u32(RTA_PRIORITY);
  route.protocol = header.rtm_protocol;
  route.scope = header.rtm_scope;
  route.type = header.rtm_type;
  route.onlink = (header.rtm_flags & RTNH_F_ONLINK) != 0;
  const auto metrics = Attributes<RTAX_MAX>::inside((*a)[RTA_METRICS]);
  route.mtu_bytes = metrics.u32(RTAX_MTU);
  route.advmss = metrics.u32(RTAX_ADVMSS);
  if ((*a)[RTA_MULTIPATH])
    return next_hops(route, (*a)[RTA_MULTIPATH]);
  return {route};
}

std::optional<Neighbour> decode_neighbour(const nlmsghdr &message) {
  const auto a = Attributes<NDA_MAX>::of(message, sizeof(ndmsg));
  if (!a)
    return std::nullopt;
  const auto &header = header_of<ndmsg>(message);
  const auto ip = a->ip(NDA_DST);
  if (!ip || !family_of(header.ndm_family))
    return std::nullopt;
  return Neighbour{IfIndex(static_cast<std::uint32_t>(header.ndm_ifindex)), *ip, a->mac(NDA_LLADDR),
                   header.ndm_state, (header.ndm_flags & NTF_PROXY) != 0};
}

} // namespace sluice::kernel::rtnl
