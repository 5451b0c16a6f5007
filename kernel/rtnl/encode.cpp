#include "kernel/rtnl/encode.hpp"

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

namespace sluice::kernel::rtnl {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
constexpr std::size_t kMaxAliasBytes = 255; // IFALIASZ of linux/if.h, less the zero at the end

std::uint8_t af_of(Family family) noexcept {
  return family == Family::ipv4 ? std::uint8_t{AF_INET} : std::uint8_t{AF_INET6};
}

/// What an op's names are good for: `indexes` for the kernel, texts within the kernel's limits.
class Encoder {
public:
  explicit Encoder(const Indexes &indexes) : indexes_(indexes) {}

  Result<std::vector<Message>> operator()(const CreateBridge &op) const {
    SLUICE_TRY(check_texts(op.name, op.alias), "encode");
    auto message = new_link(up_flags(op.up), kCreate);
    message.put(IFLA_IFNAME, op.name);
    put_mtu(message, op.mtu_bytes);
    if (op.mac)
      message.put(IFLA_ADDRESS, *op.mac);
    message.nest(IFLA_LINKINFO, [&] {
      message.put(IFLA_INFO_KIND, std::string("bridge"));
      if (op.netfilter || op.vlan_filtering)
        message.nest(IFLA_INFO_DATA, [&] {
          if (op.netfilter)
            put_netfilter(message, true);
          if (op.vlan_filtering)
            message.put_u8(IFLA_BR_VLAN_FILTERING, 1);
        });
    });
    return with_alias(std::move(message), op.name, op.alias);
  }

  Result<std::vector<Message>> operator()(const CreateVeth &op) const {
    SLUICE_TRY(check_texts(op.name, op.alias), "encode");
    SLUICE_TRY(check_texts(op.peer_name, ""), "encode");
    auto header = up_flags(op.up);
    header.ifi_index = op.index ? static_cast<int>(op.index->value) : 0;
    auto message = new_link(header, kCreate);
    put_veth_end(message, op.name, op.mac, op);
    if (op.master)
      message.put_u32(IFLA_MASTER, index_of(*op.master));
    message.nest(IFLA_LINKINFO, [&] {
      message.put(IFLA_INFO_KIND, std::string("veth"));
      message.nest(IFLA_INFO_DATA, [&] {
        message.nest(VETH_INFO_PEER, [&] {
          message.append(ifinfomsg{});
          put_veth_end(message, op.peer_name, op.peer_mac, op);
          if (op.peer_netns_fd)
            message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(*op.peer_netns_fd));
        });
      });
    });
    return with_alias(std::move(message), op.name, op.alias);
  }

  Result<std::vector<Message>> operator()(const SetLink &op) const {
    if (const auto *name = std::get_if<std::string>(&op.link))
      SLUICE_TRY(check_texts(*name, op.alias.value_or("")), "encode");
    if (op.new_name)
      SLUICE_TRY(check_texts(*op.new_name, ""), "encode");
    std::vector<Message> messages;
    const bool port_flags = op.hairpin || op.isolated;
    const bool more = op.up || op.mtu_bytes || op.mac || op.new_name || op.master ||
                      op.promiscuous || op.all_multicast || op.tx_queue_packets;
    if (more || (!port_flags && (op.alias || !op.netfilter)))
      messages.push_back(link_change(op));
    if (port_flags)
      messages.push_back(port_change(op));
    if (port_flags && op.alias && !more) // one message for both
      messages.back().put(IFLA_IFALIAS, *op.alias);
    if (op.netfilter)
      messages.push_back(bridge_change(op));
    return messages;
  }

  Result<std::vector<Message>> operator()(const DeleteLink &op) const {
    Message message(RTM_DELLINK, 0, link_header(op.link));
    if (const auto *name = std::get_if<std::string>(&op.link)) {
      SLUICE_TRY(check_texts(*name, ""), "encode");
      message.put(IFLA_IFNAME, *name);
    }
    return one(std::move(message));
  }

  Result<std::vector<Message>> operator()(const AddAddress &op) const {
    const bool v6 = !op.address.ip.is_v4();
    Message message(
        RTM_NEWADDR,
        static_cast<std::uint16_t>(NLM_F_CREATE | (op.replace ? NLM_F_REPLACE : NLM_F_EXCL)),
        address_header(op.link, op.address, op.scope));
    put_address(message, op.address);
    std::uint32_t flags = 0;
    if (op.nodad && v6)
      flags |= IFA_F_NODAD;
    if (op.noprefixroute)
      flags |= IFA_F_NOPREFIXROUTE;
    if (flags != 0)
      message.put_u32(IFA_FLAGS, flags);
    return one(std::move(message));
  }

  Result<std::vector<Message>> operator()(const DeleteAddress &op) const {
    Message message(RTM_DELADDR, 0, address_header(op.link, op.address, 0));
    put_address(message, op.address);
    return one(std::move(message));
  }

  Result<std::vector<Message>> operator()(const AddRoute &op) const {
    auto flags = std::uint16_t{NLM_F_CREATE};
    if (op.existing == Existing::refuse)
      flags |= NLM_F_EXCL;
    if (op.existing == Existing::replace)
      flags |= NLM_F_REPLACE;
    if (op.existing == Existing::append)
      flags |= NLM_F_APPEND;
    auto header = route_header(op.route);
    header.rtm_scope = op.route.scope;
    header.rtm_flags = op.route.onlink ? unsigned{RTNH_F_ONLINK} : 0U;
    Message message(RTM_NEWROUTE, flags, header);
    auto link = op.route.link;
    if (link.value == 0 && op.link_name)
      link = IfIndex(index_of(LinkRef(*op.link_name)));
    put_route(message, op.route, link);
    put_metrics(message, op.route);
    return one(std::move(message));
  }

  Result<std::vector<Message>> operator()(const DeleteRoute &op) const {
    auto header = route_header(op.route);
    header.rtm_scope = RT_SCOPE_NOWHERE; // any
    Message message(RTM_DELROUTE, 0, header);
    put_route(message, op.route, op.route.link);
    return one(std::move(message));
  }

  Result<std::vector<Message>> operator()(const AddNeighbour &op) const {
    auto message = neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, op.neighbour);
    if (!op.neighbour.proxy)
      message.put(NDA_LLADDR, op.neighbour.mac);
    return one(std::move(message));
  }

  Result<std::vector<Message>> operator()(const DeleteNeighbour &op) const {
    return one(neighbour_message(RTM_DELNEIGH, 0, op.neighbour));
  }

  Result<std::vector<Message>> operator()(const AddPortVlan &op) const {
    const unsigned flags =
        op.native ? unsigned{BRIDGE_VLAN_INFO_PVID} | unsigned{BRIDGE_VLAN_INFO_UNTAGGED} : 0U;
    return one(port_vlan_message(RTM_SETLINK, op.port, op.vlan, flags));
  }

  Result<std::vector<Message>> operator()(const DeletePortVlan &op) const {
    return one(port_vlan_message(RTM_DELLINK, op.port, op.vlan, 0));
  }

private:
  static std::vector<Message> one(Message message) {
    std::vector<Message> messages;
    messages.push_back(std::move(message));
    return messages;
  }

  static Result<> check_texts(const std::string &name, const std::string &alias) {
    if (name.empty() || name.size() >= IFNAMSIZ)
      return fail(Errc::invalid_input,
                  "a link name has 1 to " + std::to_string(IFNAMSIZ - 1) + " characters");
    if (alias.size() > kMaxAliasBytes)
      return fail(Errc::invalid_input,
                  "a link alias has at most " + std::to_string(kMaxAliasBytes) + " characters");
    return {};
  }

  static ifinfomsg up_flags(bool up) noexcept {
    ifinfomsg header{};
    header.ifi_flags = up ? unsigned{IFF_UP} : 0U;
    header.ifi_change = IFF_UP;
    return header;
  }
  static ifinfomsg link_header(const LinkRef &link) noexcept {
    ifinfomsg header{};
    if (const auto *index = std::get_if<IfIndex>(&link))
      header.ifi_index = static_cast<int>(index->value);
    return header;
  }
  static Message new_link(const ifinfomsg &header, std::uint16_t flags) {
    return Message(RTM_NEWLINK, flags, header);
  }

  std::uint32_t index_of(const LinkRef &link) const {
    if (const auto *index = std::get_if<IfIndex>(&link))
      return index->value;
    const auto found = indexes_.find(std::get<std::string>(link));
    return found == indexes_.end() ? 0 : found->second.value;
  }

  static void put_mtu(Message &message, std::uint32_t mtu_bytes) {
    if (mtu_bytes != 0)
      message.put_u32(IFLA_MTU, mtu_bytes);
  }
  static void put_veth_end(Message &message, const std::string &name,
                           const std::optional<MacAddress> &mac, const CreateVeth &op) {
    message.put(IFLA_IFNAME, name);
    put_mtu(message, op.mtu_bytes);
    if (mac)
      message.put(IFLA_ADDRESS, *mac);
    if (op.queues) {
      message.put_u32(IFLA_NUM_TX_QUEUES, *op.queues);
      message.put_u32(IFLA_NUM_RX_QUEUES, *op.queues);
    }
  }

  static std::vector<Message> with_alias(Message birth, const std::string &name,
                                         const std::string &alias) {
    auto messages = one(std::move(birth));
    if (!alias.empty()) {
      messages.push_back(new_link(ifinfomsg{}, 0));
      messages.back().put(IFLA_IFNAME, name);
      messages.back().put(IFLA_IFALIAS, alias);
    }
    return messages;
  }

  /// By name where the kernel looks it up itself; IFLA_IFNAME with an index would be a new name.
  Message change_of(const SetLink &op, ifinfomsg header) const {
    const auto *name = std::get_if<std::string>(&op.link);
    if (op.new_name || !name)
      header.ifi_index = static_cast<int>(index_of(op.link));
    auto message = new_link(header, 0);
    if (header.ifi_index == 0 && name)
      message.put(IFLA_IFNAME, *name);
    return message;
  }
  Message link_change(const SetLink &op) const {
    ifinfomsg header{};
    const auto flag = [&](const std::optional<bool> &wanted, unsigned bit) {
      if (!wanted)
        return;
      header.ifi_change |= bit;
      header.ifi_flags |= *wanted ? bit : 0U;
    };
    flag(op.up, IFF_UP);
    flag(op.promiscuous, IFF_PROMISC);
    flag(op.all_multicast, IFF_ALLMULTI);
    auto message = change_of(op, header);
    if (op.new_name)
      message.put(IFLA_IFNAME, *op.new_name);
    if (op.mtu_bytes)
      message.put_u32(IFLA_MTU, *op.mtu_bytes);
    if (op.tx_queue_packets)
      message.put_u32(IFLA_TXQLEN, *op.tx_queue_packets);
    if (op.mac)
      message.put(IFLA_ADDRESS, *op.mac);
    if (op.alias)
      message.put(IFLA_IFALIAS, *op.alias);
    if (op.master)
      message.put_u32(IFLA_MASTER, index_of(*op.master));
    return message;
  }
  Message port_change(const SetLink &op) const {
    auto message = change_of(op, ifinfomsg{});
    message.nest(IFLA_LINKINFO, [&] {
      message.put(IFLA_INFO_SLAVE_KIND, std::string("bridge"));
      message.nest(IFLA_INFO_SLAVE_DATA, [&] {
        if (op.hairpin)
          message.put_u8(IFLA_BRPORT_MODE, *op.hairpin ? 1 : 0);
        if (op.isolated)
          message.put_u8(IFLA_BRPORT_ISOLATED, *op.isolated ? 1 : 0);
      });
    });
    return message;
  }

  static void put_netfilter(Message &message, bool on) {
    message.put_u8(IFLA_BR_NF_CALL_IPTABLES, on ? 1 : 0);
    message.put_u8(IFLA_BR_NF_CALL_IP6TABLES, on ? 1 : 0);
  }
  Message bridge_change(const SetLink &op) const {
    auto message = change_of(op, ifinfomsg{});
    message.nest(IFLA_LINKINFO, [&] {
      message.put(IFLA_INFO_KIND, std::string("bridge"));
      message.nest(IFLA_INFO_DATA, [&] { put_netfilter(message, *op.netfilter); });
    });
    return message;
  }

  ifaddrmsg address_header(const LinkRef &link, const InterfaceAddress &address,
                           std::uint8_t scope) const {
    ifaddrmsg header{};
    header.ifa_family = af_of(address.ip.family());
    header.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix_length);
    header.ifa_scope = scope;
    header.ifa_index = index_of(link);
    return header;
  }
  static void put_address(Message &message, const InterfaceAddress &address) {
    message.put(IFA_LOCAL, address.ip);
    message.put(IFA_ADDRESS, address.ip);
  }

  static rtmsg route_header(const Route &route) noexcept {
    rtmsg header{};
    header.rtm_family = af_of(route.destination.family());
    header.rtm_dst_len = static_cast<std::uint8_t>(route.destination.prefix_length());
    header.rtm_table = static_cast<std::uint8_t>(route.table < 256 ? route.table : RT_TABLE_UNSPEC);
    header.rtm_protocol = route.protocol;
    header.rtm_type = route.type;
    return header;
  }
  static void put_route(Message &message, const Route &route, IfIndex link) {
    if (route.destination.prefix_length() > 0)
      message.put(RTA_DST, route.destination.address());
    message.put_u32(RTA_TABLE, route.table);
    if (route.gateway)
      put_gateway(message, *route.gateway, route.destination.family());
    if (link.value != 0)
      message.put_u32(RTA_OIF, link.value);
    if (route.preferred_source)
      message.put(RTA_PREFSRC, *route.preferred_source);
    if (route.priority != 0)
      message.put_u32(RTA_PRIORITY, route.priority);
  }
  /// An IPv4 network behind an IPv6 gateway (RFC 5549) takes RTA_VIA.
  static void put_gateway(Message &message, const IpAddress &gateway, Family destination) {
    if (gateway.family() == destination)
      return message.put(RTA_GATEWAY, gateway);
    std::vector<std::uint8_t> via(sizeof(rtvia::rtvia_family));
    const auto family = static_cast<__kernel_sa_family_t>(af_of(gateway.family()));
    std::copy_n(reinterpret_cast<const std::uint8_t *>(&family), sizeof family, via.begin());
    via.insert(via.end(), gateway.bytes().begin(), gateway.bytes().end());
    message.put(RTA_VIA, std::span<const std::uint8_t>(via));
  }
  static void put_metrics(Message &message, const Route &route) {
    if (route.mtu_bytes == 0 && route.advmss == 0)
      return;
    message.nest(RTA_METRICS, [&] {
      if (route.mtu_bytes != 0)
        message.put_u32(RTAX_MTU, route.mtu_bytes);
      if (route.advmss != 0)
        message.put_u32(RTAX_ADVMSS, route.advmss);
    });
  }

  static Message neighbour_message(std::uint16_t type, std::uint16_t flags,
                                   const Neighbour &neighbour) {
    ndmsg header{};
    header.ndm_family = af_of(neighbour.ip.family());
    header.ndm_ifindex = static_cast<int>(neighbour.link.value);
    header.ndm_state = neighbour.state;
    header.ndm_flags = neighbour.proxy ? std::uint8_t{NTF_PROXY} : std::uint8_t{0};
    Message message(type, flags, header);
    message.put(NDA_DST, neighbour.ip);
    return message;
  }

  Message port_vlan_message(std::uint16_t type, const LinkRef &port, std::uint16_t vlan,
                            unsigned flags) const {
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = static_cast<int>(index_of(port));
    Message message(type, 0, header);
    bridge_vlan_info info{};
    info.flags = static_cast<std::uint16_t>(flags);
    info.vid = vlan;
    message.nest(IFLA_AF_SPEC, [&] {
      message.put(IFLA_BRIDGE_VLAN_INFO,
                  std::span(reinterpret_cast<const std::uint8_t *>(&info), sizeof info));
    });
    return message;
  }

  const Indexes &indexes_;
};

} // namespace

std::vector<std::string> names_to_resolve(const RtnlOp &op) {
  std::vector<std::string> names;
  const auto want = [&](const LinkRef &link) {
    if (const auto *name = std::get_if<std::string>(&link))
      names.push_back(*name);
  };
  if (const auto *veth = std::get_if<CreateVeth>(&op)) {
    if (veth->master)
      want(*veth->master);
  } else if (const auto *set = std::get_if<SetLink>(&op)) {
    if (set->new_name)
      want(set->link);
    if (set->master)
      want(*set->master);
  } else if (const auto *add = std::get_if<AddAddress>(&op)) {
    want(add->link);
  } else if (const auto *remove = std::get_if<DeleteAddress>(&op)) {
    want(remove->link);
  } else if (const auto *route = std::get_if<AddRoute>(&op)) {
    if (route->route.link.value == 0 && route->link_name)
      want(LinkRef(*route->link_name));
  } else if (const auto *vlan = std::get_if<AddPortVlan>(&op)) {
    want(vlan->port);
  } else if (const auto *gone = std::get_if<DeletePortVlan>(&op)) {
    want(gone->port);
  }
  return names;
}

bool changes_names(const RtnlOp &op) noexcept {
  if (const auto *set = std::get_if<SetLink>(&op))
    return set->new_name.has_value();
  return std::holds_alternative<CreateBridge>(op) || std::holds_alternative<CreateVeth>(op) ||
         std::holds_alternative<DeleteLink>(op);
}

Result<std::vector<Message>> encode(const RtnlOp &op, const Indexes &indexes) {
  return std::visit(Encoder(indexes), op);
}

} // namespace sluice::kernel::rtnl
