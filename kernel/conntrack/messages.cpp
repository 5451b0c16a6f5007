#include "kernel/conntrack/messages.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace sluice::kernel::conntrack {
namespace {

using rtnl::Message;

/// Which parts of CTA_TUPLE_ORIG a CTA_FILTER compares; not in the kernel's exported headers
/// (net/netfilter/nf_internals.h).
constexpr std::uint32_t kFilterProtocol = 1U << 3;

std::uint16_t type_of(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

nfgenmsg header_of(Family family) {
  return {.nfgen_family = static_cast<std::uint8_t>(family == Family::ipv4 ? AF_INET : AF_INET6),
          .version = NFNETLINK_V0,
          .res_id = 0};
}

void put_port(Message &message, int attribute, Port port) {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(port.value >> 8),
                                          static_cast<std::uint8_t>(port.value & 0xff)};
  message.put(attribute, bytes);
}

/// ctnetlink numbers are in network byte order.
void put_number(Message &message, int attribute, std::uint32_t value) {
  message.put_u32(attribute, htonl(value));
}

void put_protocol(Message &message, Protocol protocol) {
  message.put_u8(CTA_PROTO_NUM, static_cast<std::uint8_t>(protocol));
}

using Attributes = std::array<nlattr *, 64>;

/// Those inside `attribute`, by type; an unknown one is passed over.
Attributes attributes_in(nlattr *first, int length) {
  Attributes found{};
  for (auto *at = first; nla_ok(at, length); at = nla_next(at, &length))
    if (const auto type = static_cast<std::size_t>(nla_type(at)); type < found.size())
      found[type] = at;
  return found;
}

Attributes inside(nlattr *attribute) {
  if (!attribute)
    return {};
  return attributes_in(static_cast<nlattr *>(nla_data(attribute)), nla_len(attribute));
}

std::optional<IpAddress> address_in(nlattr *v4, nlattr *v6) {
  if (v4 && nla_len(v4) == 4)
    return IpAddress::from_bytes({static_cast<const std::uint8_t *>(nla_data(v4)), 4});
  if (v6 && nla_len(v6) == 16)
    return IpAddress::from_bytes({static_cast<const std::uint8_t *>(nla_data(v6)), 16});
  return std::nullopt;
}

std::optional<Port> port_in(nlattr *attribute) {
  if (!attribute || nla_len(attribute) != 2)
    return std::nullopt;
  return Port{ntohs(nla_get_u16(attribute))};
}

std::optional<Tuple> tuple_in(nlattr *attribute, Protocol &protocol) {
  const auto parts = inside(attribute);
  const auto ip = inside(parts[CTA_TUPLE_IP]);
  const auto proto = inside(parts[CTA_TUPLE_PROTO]);
  const auto source = address_in(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC]);
  const auto destination = address_in(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST]);
  const auto source_port = port_in(proto[CTA_PROTO_SRC_PORT]);
  const auto destination_port = port_in(proto[CTA_PROTO_DST_PORT]);
  if (!source || !destination || !source_port || !destination_port || !proto[CTA_PROTO_NUM])
    return std::nullopt;
  protocol = static_cast<Protocol>(nla_get_u8(proto[CTA_PROTO_NUM]));
  return Tuple{{*source, *source_port}, {*destination, *destination_port}};
}

std::uint32_t number_in(nlattr *attribute) {
  return attribute && nla_len(attribute) == 4 ? ntohl(nla_get_u32(attribute)) : 0;
}

} // namespace

Message dump_request(const Filter &filter) {
  Message message(type_of(IPCTNL_MSG_CT_GET), 0, header_of(filter.family));
  message.nest(CTA_TUPLE_ORIG | NLA_F_NESTED, [&] {
    message.nest(CTA_TUPLE_PROTO | NLA_F_NESTED, [&] { put_protocol(message, filter.protocol); });
  });
  message.nest(CTA_FILTER | NLA_F_NESTED, [&] {
    message.put_u32(CTA_FILTER_ORIG_FLAGS, kFilterProtocol);
    message.put_u32(CTA_FILTER_REPLY_FLAGS, 0);
  });
  return message;
}

Message remove_request(const Flow &flow) {
  const auto &tuple = flow.original;
  const bool v4 = tuple.source.ip.is_v4();
  Message message(type_of(IPCTNL_MSG_CT_DELETE), 0, header_of(tuple.source.ip.family()));
  message.nest(CTA_TUPLE_ORIG | NLA_F_NESTED, [&] {
    message.nest(CTA_TUPLE_IP | NLA_F_NESTED, [&] {
      message.put(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source.ip);
      message.put(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination.ip);
    });
    message.nest(CTA_TUPLE_PROTO | NLA_F_NESTED, [&] {
      put_protocol(message, flow.protocol);
      put_port(message, CTA_PROTO_SRC_PORT, tuple.source.port);
      put_port(message, CTA_PROTO_DST_PORT, tuple.destination.port);
    });
  });
  if (flow.zone != 0)
    put_port(message, CTA_ZONE, Port{flow.zone});
  if (flow.id != 0)
    put_number(message, CTA_ID, flow.id);
  return message;
}

std::optional<Flow> flow_in(const nlmsghdr &message) {
  if (message.nlmsg_type != type_of(IPCTNL_MSG_CT_NEW) ||
      message.nlmsg_len < NLMSG_LENGTH(sizeof(nfgenmsg)))
    return std::nullopt;
  const auto parts = attributes_in(nlmsg_attrdata(&message, sizeof(nfgenmsg)),
                                   nlmsg_attrlen(&message, sizeof(nfgenmsg)));
  Flow flow;
  Protocol reply_protocol{};
  const auto original = tuple_in(parts[CTA_TUPLE_ORIG], flow.protocol);
  const auto reply = tuple_in(parts[CTA_TUPLE_REPLY], reply_protocol);
  if (!original || !reply)
    return std::nullopt;
  flow.original = *original;
  flow.reply = *reply;
  flow.mark = number_in(parts[CTA_MARK]);
  flow.id = number_in(parts[CTA_ID]);
  flow.zone = port_in(parts[CTA_ZONE]).value_or(Port{}).value;
  return flow;
}

} // namespace sluice::kernel::conntrack
