#include "cni/traffic_control.hpp"

#include "cni/traffic_message.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netinet/in.h>

namespace sluice::cni {

using kernel::IfIndex;
using kernel::rtnl::Message;
using kernel::rtnl::NetlinkSocket;

using namespace traffic;

namespace {

constexpr std::uint32_t kIngressHandle = 0xffff'0000; // ffff:
constexpr std::uint32_t kFlow = 0x0001'0001;          // 1:1
constexpr std::uint32_t kFilterPriority = 1;

/// One key that every packet matches.
std::array<std::uint8_t, sizeof(tc_u32_sel) + sizeof(tc_u32_key)> every_packet() {
  tc_u32_sel selector{};
  selector.flags = TC_U32_TERMINAL;
  selector.nkeys = 1;
  std::array<std::uint8_t, sizeof(tc_u32_sel) + sizeof(tc_u32_key)> bytes{};
  std::memcpy(bytes.data(), &selector, sizeof(tc_u32_sel));
  return bytes;
}

void put_redirect_action(Message &message, IfIndex to) {
  message.nest(TCA_U32_ACT, [&] {
    message.nest(1, [&] { // the first action
      message.put(TCA_ACT_KIND, std::string("mirred"));
      message.nest(TCA_ACT_OPTIONS, [&] {
        tc_mirred mirred{};
        mirred.action = TC_ACT_STOLEN;
        mirred.eaction = TCA_EGRESS_REDIR;
        mirred.ifindex = to.value;
        message.put(TCA_MIRRED_PARMS, bytes_of(mirred));
      });
    });
  });
}

std::optional<TokenBucket> decode_token_bucket(nlattr *options) {
  std::array<nlattr *, TCA_TBF_MAX + 1> table{};
  if (!options || nla_parse_nested(table.data(), TCA_TBF_MAX, options, nullptr) < 0)
    return std::nullopt;
  const auto parameters = plain_in<tc_tbf_qopt>(table[TCA_TBF_PARMS]);
  if (!parameters)
    return std::nullopt;
  return TokenBucket{plain_in<std::uint64_t>(table[TCA_TBF_RATE64]).value_or(parameters->rate.rate),
                     parameters->limit, parameters->buffer};
}

struct Discipline {
  std::uint32_t parent = 0;
  std::string kind;
  nlattr *options = nullptr;
};

std::optional<Discipline> decode_discipline(const nlmsghdr &message, IfIndex link) {
  std::array<nlattr *, TCA_MAX + 1> table{};
  if (message.nlmsg_type != RTM_NEWQDISC || message.nlmsg_len < NLMSG_LENGTH(sizeof(tcmsg)) ||
      nlmsg_parse(const_cast<nlmsghdr *>(&message), sizeof(tcmsg), table.data(), TCA_MAX, nullptr) <
          0)
    return std::nullopt;
  const auto &header = *static_cast<const tcmsg *>(nlmsg_data(&message));
  if (static_cast<std::uint32_t>(header.tcm_ifindex) != link.value || !table[TCA_KIND])
    return std::nullopt;
  const std::string_view kind(static_cast<const char *>(nla_data(table[TCA_KIND])),
                              static_cast<std::size_t>(nla_len(table[TCA_KIND])));
  return Discipline{header.tcm_parent, std::string(kind.substr(0, kind.find('\0'))),
                    table[TCA_OPTIONS]};
}

} // namespace

Result<TrafficControl> TrafficControl::open() {
  auto socket = NetlinkSocket::open();
  if (!socket)
    return fail(std::move(socket.error()));
  return TrafficControl(std::move(*socket));
}

Result<> TrafficControl::request(Message message, const std::string &doing) {
  socket_.queue(message);
  SLUICE_ASSIGN(const auto refused, socket_.send(), doing);
  if (!refused.empty())
    return fail(kernel::rtnl::error_of(refused.front(), doing));
  return {};
}

Result<> TrafficControl::create_ifb(const std::string &name, std::uint32_t mtu_bytes,
                                    const std::string &alias) {
  ifinfomsg header{};
  header.ifi_flags = header.ifi_change = IFF_UP;
  Message birth(RTM_NEWLINK, kCreate, header);
  birth.put(IFLA_IFNAME, name);
  birth.put_u32(IFLA_MTU, mtu_bytes);
  birth.nest(IFLA_LINKINFO, [&] { birth.put(IFLA_INFO_KIND, std::string("ifb")); });
  SLUICE_TRY(request(std::move(birth), "make ifb device \"" + name + "\""), "shape traffic");
  Message naming(RTM_NEWLINK, 0, ifinfomsg{});
  naming.put(IFLA_IFNAME, name);
  naming.put(IFLA_IFALIAS, alias);
  return request(std::move(naming), "name the owner of ifb device \"" + name + "\"");
}

Result<> TrafficControl::add_token_bucket(IfIndex link, const TokenBucket &bucket) {
  Message message(RTM_NEWQDISC, kCreate, header_of(link, TC_H_ROOT, kRootHandle));
  message.put(TCA_KIND, std::string("tbf"));
  message.nest(TCA_OPTIONS, [&] {
    tc_tbf_qopt parameters{};
    parameters.rate.rate = cut_to_32_bits(bucket.rate_bytes);
    parameters.limit = bucket.limit_bytes;
    parameters.buffer = bucket.buffer_ticks;
    message.put(TCA_TBF_PARMS, bytes_of(parameters));
    if (bucket.rate_bytes > UINT32_MAX)
      message.put(TCA_TBF_RATE64, bytes_of(bucket.rate_bytes));
  });
  return request(std::move(message), named("add a token bucket", link));
}

Result<> TrafficControl::remove_root(IfIndex link) {
  return request(Message(RTM_DELQDISC, 0, header_of(link, TC_H_ROOT, kRootHandle)),
                 named("remove the root discipline", link));
}

Result<> TrafficControl::add_ingress(IfIndex link) {
  Message message(RTM_NEWQDISC, kCreate, header_of(link, TC_H_INGRESS, kIngressHandle));
  message.put(TCA_KIND, std::string("ingress"));
  return request(std::move(message), named("add an ingress discipline", link));
}

Result<> TrafficControl::remove_ingress(IfIndex link) {
  return request(Message(RTM_DELQDISC, 0, header_of(link, TC_H_INGRESS, kIngressHandle)),
                 named("remove the ingress discipline", link));
}

Result<> TrafficControl::add_redirect(IfIndex link, IfIndex to) {
  auto header = header_of(link, kIngressHandle, 0);
  header.tcm_info = kFilterPriority << 16 | htons(ETH_P_ALL);
  Message message(RTM_NEWTFILTER, kCreate, header);
  message.put(TCA_KIND, std::string("u32"));
  message.nest(TCA_OPTIONS, [&] {
    message.put(TCA_U32_SEL, every_packet());
    message.put_u32(TCA_U32_CLASSID, kFlow);
    put_redirect_action(message, to);
  });
  return request(std::move(message), named("redirect what comes in", link));
}

template <class Visit> Result<> TrafficControl::for_each_discipline(IfIndex link, Visit visit) {
  Message message(RTM_GETQDISC, 0, header_of(link, 0, 0));
  return socket_.dump(
      message, named("read the queueing disciplines", link), [] {},
      [&](const nlmsghdr &part) {
        if (const auto discipline = decode_discipline(part, link))
          visit(*discipline);
      });
}

Result<std::optional<TokenBucket>> TrafficControl::read_token_bucket(IfIndex link) {
  std::optional<TokenBucket> bucket;
  SLUICE_TRY(for_each_discipline(link,
                                 [&](const Discipline &discipline) {
                                   if (discipline.parent == TC_H_ROOT && discipline.kind == "tbf")
                                     bucket = decode_token_bucket(discipline.options);
                                 }),
             "read the token bucket");
  return bucket;
}

Result<bool> TrafficControl::has_ingress(IfIndex link) {
  bool found = false;
  SLUICE_TRY(
      for_each_discipline(
          link, [&](const Discipline &discipline) { found |= discipline.kind == "ingress"; }),
      "read the ingress discipline");
  return found;
}

} // namespace sluice::cni
