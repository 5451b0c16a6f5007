#include "kernel/ipvs/messages.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <sys/socket.h>

namespace sluice::kernel::ipvs {
namespace {

using rtnl::Message;

Message request(FamilyNumber family, std::uint8_t command) {
  return Message(family, 0, genlmsghdr{command, IPVS_GENL_VERSION, 0});
}

template <class Plain> std::span<const std::uint8_t> bytes_of(const Plain &plain) {
  return {reinterpret_cast<const std::uint8_t *>(&plain), sizeof plain};
}

void put_u16(Message &message, int attribute, std::uint16_t value) {
  message.put(attribute, bytes_of(value));
}

std::uint16_t af_of(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }

void put_id(Message &message, const ServiceId &id) {
  put_u16(message, IPVS_SVC_ATTR_AF, af_of(family_of(id)));
  if (const auto *mark = std::get_if<MarkId>(&id))
    return message.put_u32(IPVS_SVC_ATTR_FWMARK, mark->mark);
  const auto &address = std::get<AddressId>(id);
  put_u16(message, IPVS_SVC_ATTR_PROTOCOL, static_cast<std::uint16_t>(address.protocol));
  message.put(IPVS_SVC_ATTR_ADDR, address.address.ip);
  put_u16(message, IPVS_SVC_ATTR_PORT, htons(address.address.port.value));
}

std::uint32_t netmask_of(const Service &service) {
  const bool v4 = family_of(service.id) == Family::ipv4;
  const auto bits = service.client_prefix_length.value_or(v4 ? 32U : 128U);
  if (!v4)
    return bits;
  return bits == 0 ? 0 : htonl(~std::uint32_t{0} << (32U - std::min(bits, 32U)));
}

void put_service(Message &message, const Service &service) {
  message.nest(IPVS_CMD_ATTR_SERVICE, [&] {
    put_id(message, service.id);
    message.put(IPVS_SVC_ATTR_SCHED_NAME, service.scheduler);
    const ip_vs_flags flags{
        service.flags | (service.persistence ? std::uint32_t{IP_VS_SVC_F_PERSISTENT} : 0U), ~0U};
    message.put(IPVS_SVC_ATTR_FLAGS, bytes_of(flags));
    message.put_u32(IPVS_SVC_ATTR_TIMEOUT,
                    service.persistence ? static_cast<std::uint32_t>(service.persistence->count())
                                        : 0U);
    message.put_u32(IPVS_SVC_ATTR_NETMASK, netmask_of(service));
  });
}

void put_service_id(Message &message, const ServiceId &id) {
  message.nest(IPVS_CMD_ATTR_SERVICE, [&] { put_id(message, id); });
}

void put_address(Message &message, const SocketAddress &address) {
  put_u16(message, IPVS_DEST_ATTR_ADDR_FAMILY, af_of(address.ip.family()));
  message.put(IPVS_DEST_ATTR_ADDR, address.ip);
  put_u16(message, IPVS_DEST_ATTR_PORT, htons(address.port.value));
}

void put_destination(Message &message, const Destination &destination) {
  message.nest(IPVS_CMD_ATTR_DEST, [&] {
    put_address(message, destination.address);
    message.put_u32(IPVS_DEST_ATTR_FWD_METHOD, static_cast<std::uint32_t>(destination.forwarding));
    message.put_u32(IPVS_DEST_ATTR_WEIGHT, destination.weight);
    message.put_u32(IPVS_DEST_ATTR_U_THRESH, destination.upper_threshold);
    message.put_u32(IPVS_DEST_ATTR_L_THRESH, destination.lower_threshold);
  });
}

struct Encoder {
  FamilyNumber family;

  Result<Message> operator()(const AddService &op) const {
    return with_service(IPVS_CMD_NEW_SERVICE, op.service);
  }
  Result<Message> operator()(const EditService &op) const {
    return with_service(IPVS_CMD_SET_SERVICE, op.service);
  }
  Result<Message> operator()(const RemoveService &op) const {
    auto message = request(family, IPVS_CMD_DEL_SERVICE);
    put_service_id(message, op.service);
    return message;
  }
  Result<Message> operator()(const AddDestination &op) const {
    return with_destination(IPVS_CMD_NEW_DEST, op.service, op.destination);
  }
  Result<Message> operator()(const EditDestination &op) const {
    return with_destination(IPVS_CMD_SET_DEST, op.service, op.destination);
  }
  Result<Message> operator()(const RemoveDestination &op) const {
    auto message = request(family, IPVS_CMD_DEL_DEST);
    put_service_id(message, op.service);
    message.nest(IPVS_CMD_ATTR_DEST, [&] { put_address(message, op.destination); });
    return message;
  }

  Result<Message> with_service(std::uint8_t command, const Service &service) const {
    if (service.scheduler.empty() || service.scheduler.size() >= IP_VS_SCHEDNAME_MAXLEN)
      return fail(Errc::invalid_input,
                  "scheduler \"" + service.scheduler + "\": a name has 1 to 15 characters");
    auto message = request(family, command);
    put_service(message, service);
    return message;
  }
  Result<Message> with_destination(std::uint8_t command, const ServiceId &service,
                                   const Destination &destination) const {
    auto message = request(family, command);
    put_service_id(message, service);
    put_destination(message, destination);
    return message;
  }
};

/// The attributes of a message or of one that holds others. What is missing reads as zero.
template <int Max> class Attributes {
public:
  static Attributes of(const nlmsghdr &message) {
    Attributes a;
    auto *header = const_cast<nlmsghdr *>(&message);
    constexpr int kHeader = sizeof(genlmsghdr);
    if (!nlmsg_valid_hdr(header, kHeader) ||
        nla_parse(a.table_.data(), Max, nlmsg_attrdata(header, kHeader),
                  nlmsg_attrlen(header, kHeader), nullptr) < 0)
      a.table_.fill(nullptr);
    return a;
  }
  static Attributes inside(nlattr *nest) {
    Attributes a;
    if (nest && nla_parse_nested(a.table_.data(), Max, nest, nullptr) < 0)
      a.table_.fill(nullptr);
    return a;
  }
  nlattr *operator[](int type) const { return table_[static_cast<std::size_t>(type)]; }
  template <class Plain> Plain plain(int type) const {
    Plain value{};
    if (auto *a = (*this)[type]; a && nla_len(a) >= static_cast<int>(sizeof value))
      std::memcpy(&value, nla_data(a), sizeof value);
    return value;
  }
  std::uint16_t u16(int type) const { return plain<std::uint16_t>(type); }
  std::uint32_t u32(int type) const { return plain<std::uint32_t>(type); }
  std::string text(int type) const {
    auto *a = (*this)[type];
    if (!a)
      return {};
    const auto *data = static_cast<const char *>(nla_data(a));
    return {data, ::strnlen(data, static_cast<std::size_t>(nla_len(a)))};
  }
  /// The kernel sends 16 bytes, of which an IPv4 address takes the first 4.
  IpAddress ip(int type, Family family) const {
    const auto bytes = plain<std::array<std::uint8_t, 16>>(type);
    return IpAddress::from_bytes(std::span(bytes).first(family == Family::ipv4 ? 4 : 16));
  }

private:
  std::array<nlattr *, Max + 1> table_{};
};

std::optional<Family> family_of_af(std::uint16_t af) {
  if (af == AF_INET)
    return Family::ipv4;
  return af == AF_INET6 ? std::optional(Family::ipv6) : std::nullopt;
}

Counters counters_in(nlattr *nest) {
  const auto a = Attributes<IPVS_STATS_ATTR_MAX>::inside(nest);
  const auto number = [&](int type) { return a.template plain<std::uint64_t>(type); };
  return {number(IPVS_STATS_ATTR_CONNS), number(IPVS_STATS_ATTR_INPKTS),
          number(IPVS_STATS_ATTR_OUTPKTS), number(IPVS_STATS_ATTR_INBYTES),
          number(IPVS_STATS_ATTR_OUTBYTES)};
}

std::optional<ServiceId> id_in(const Attributes<IPVS_SVC_ATTR_MAX> &a, Family family) {
  if (const auto mark = a.u32(IPVS_SVC_ATTR_FWMARK); mark != 0)
    return MarkId{family, mark};
  const auto protocol = static_cast<Protocol>(a.u16(IPVS_SVC_ATTR_PROTOCOL));
  if (protocol != Protocol::tcp && protocol != Protocol::udp && protocol != Protocol::sctp)
    return std::nullopt;
  return AddressId{protocol,
                   {a.ip(IPVS_SVC_ATTR_ADDR, family), Port(ntohs(a.u16(IPVS_SVC_ATTR_PORT)))}};
}

std::optional<unsigned> client_prefix_of(Family family, std::uint32_t netmask) {
  const auto bits =
      family == Family::ipv6 ? netmask : static_cast<std::uint32_t>(__builtin_popcount(netmask));
  return bits == (family == Family::ipv4 ? 32U : 128U) ? std::nullopt : std::optional(bits);
}

} // namespace

Message family_request() {
  Message message(GENL_ID_CTRL, 0, genlmsghdr{CTRL_CMD_GETFAMILY, 1, 0});
  message.put(CTRL_ATTR_FAMILY_NAME, std::string(IPVS_GENL_NAME));
  return message;
}

std::optional<FamilyNumber> family_in(const nlmsghdr &message) {
  const auto number = Attributes<CTRL_ATTR_MAX>::of(message).u16(CTRL_ATTR_FAMILY_ID);
  return number == 0 ? std::nullopt : std::optional(number);
}

Result<Message> encode(FamilyNumber family, const Op &op) {
  return std::visit(Encoder{family}, op);
}

Message services_request(FamilyNumber family) { return request(family, IPVS_CMD_GET_SERVICE); }

Message destinations_request(FamilyNumber family, const ServiceId &service) {
  auto message = request(family, IPVS_CMD_GET_DEST);
  put_service_id(message, service);
  return message;
}

Message timeouts_request(FamilyNumber family) { return request(family, IPVS_CMD_GET_CONFIG); }

Message set_timeouts_request(FamilyNumber family, const Timeouts &timeouts) {
  auto message = request(family, IPVS_CMD_SET_CONFIG);
  const auto put = [&](int attribute, std::chrono::seconds value) {
    message.put_u32(attribute, static_cast<std::uint32_t>(value.count()));
  };
  put(IPVS_CMD_ATTR_TIMEOUT_TCP, timeouts.tcp);
  put(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, timeouts.tcp_fin);
  put(IPVS_CMD_ATTR_TIMEOUT_UDP, timeouts.udp);
  return message;
}

Message version_request(FamilyNumber family) { return request(family, IPVS_CMD_GET_INFO); }

std::optional<ServiceInfo> service_in(const nlmsghdr &message) {
  const auto top = Attributes<IPVS_CMD_ATTR_MAX>::of(message);
  if (!top[IPVS_CMD_ATTR_SERVICE])
    return std::nullopt;
  const auto a = Attributes<IPVS_SVC_ATTR_MAX>::inside(top[IPVS_CMD_ATTR_SERVICE]);
  const auto family = family_of_af(a.u16(IPVS_SVC_ATTR_AF));
  const auto id = family ? id_in(a, *family) : std::nullopt;
  if (!id)
    return std::nullopt;
  const auto flags = a.plain<ip_vs_flags>(IPVS_SVC_ATTR_FLAGS).flags;
  ServiceInfo info{{.id = *id,
                    .scheduler = a.text(IPVS_SVC_ATTR_SCHED_NAME),
                    .flags = flags & ~std::uint32_t{IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_HASHED}},
                   counters_in(a[IPVS_SVC_ATTR_STATS64])};
  if ((flags & IP_VS_SVC_F_PERSISTENT) != 0)
    info.service.persistence = std::chrono::seconds(a.u32(IPVS_SVC_ATTR_TIMEOUT));
  info.service.client_prefix_length = client_prefix_of(*family, a.u32(IPVS_SVC_ATTR_NETMASK));
  return info;
}

std::optional<DestinationInfo> destination_in(const nlmsghdr &message, Family family) {
  const auto top = Attributes<IPVS_CMD_ATTR_MAX>::of(message);
  if (!top[IPVS_CMD_ATTR_DEST])
    return std::nullopt;
  const auto a = Attributes<IPVS_DEST_ATTR_MAX>::inside(top[IPVS_CMD_ATTR_DEST]);
  const auto own = family_of_af(a.u16(IPVS_DEST_ATTR_ADDR_FAMILY)).value_or(family);
  return DestinationInfo{
      {.address = {a.ip(IPVS_DEST_ATTR_ADDR, own), Port(ntohs(a.u16(IPVS_DEST_ATTR_PORT)))},
       .forwarding = static_cast<Forwarding>(a.u32(IPVS_DEST_ATTR_FWD_METHOD) & 3U),
       .weight = a.u32(IPVS_DEST_ATTR_WEIGHT),
       .upper_threshold = a.u32(IPVS_DEST_ATTR_U_THRESH),
       .lower_threshold = a.u32(IPVS_DEST_ATTR_L_THRESH)},
      a.u32(IPVS_DEST_ATTR_ACTIVE_CONNS),
      a.u32(IPVS_DEST_ATTR_INACT_CONNS),
      a.u32(IPVS_DEST_ATTR_PERSIST_CONNS),
      counters_in(a[IPVS_DEST_ATTR_STATS64])};
}

std::optional<Timeouts> timeouts_in(const nlmsghdr &message) {
  const auto a = Attributes<IPVS_CMD_ATTR_MAX>::of(message);
  if (!a[IPVS_CMD_ATTR_TIMEOUT_TCP])
    return std::nullopt;
  return Timeouts{std::chrono::seconds(a.u32(IPVS_CMD_ATTR_TIMEOUT_TCP)),
                  std::chrono::seconds(a.u32(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)),
                  std::chrono::seconds(a.u32(IPVS_CMD_ATTR_TIMEOUT_UDP))};
}

std::optional<Version> version_in(const nlmsghdr &message) {
  const auto a = Attributes<IPVS_INFO_ATTR_MAX>::of(message);
  if (!a[IPVS_INFO_ATTR_VERSION])
    return std::nullopt;
  const auto code = a.u32(IPVS_INFO_ATTR_VERSION);
  return Version{code >> 16U & 0xffU, code >> 8U & 0xffU, code & 0xffU,
                 a.u32(IPVS_INFO_ATTR_CONN_TAB_SIZE)};
}

} // namespace sluice::kernel::ipvs
