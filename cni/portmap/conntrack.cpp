#include "cni/portmap/conntrack.hpp"

#include "cni/nfnetlink.hpp"

#include <linux/netfilter/nfnetlink_conntrack.h>

namespace sluice::cni {

using kernel::rtnl::Message;

namespace {

Message request_of(unsigned type, std::uint16_t flags, Family family) {
  return Message(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type), flags,
                 nfnetlink_header(family == Family::ipv4 ? AF_INET : AF_INET6));
}

template <int Last> using Attributes = std::array<nlattr *, Last + 1>;

/// Protocol number and destination port of a CTA_TUPLE_*; zeros if it has none.
std::pair<std::uint8_t, Port> target_of(nlattr *tuple) {
  Attributes<CTA_TUPLE_MAX> parts{};
  Attributes<CTA_PROTO_MAX> proto{};
  if (nla_parse_nested(parts.data(), CTA_TUPLE_MAX, tuple, nullptr) < 0 ||
      parts[CTA_TUPLE_PROTO] == nullptr ||
      nla_parse_nested(proto.data(), CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], nullptr) < 0 ||
      proto[CTA_PROTO_NUM] == nullptr || proto[CTA_PROTO_DST_PORT] == nullptr)
    return {};
  return {nla_get_u8(proto[CTA_PROTO_NUM]), Port{ntohs(nla_get_u16(proto[CTA_PROTO_DST_PORT]))}};
}

void copy(Message &message, nlattr *attribute) {
  if (attribute != nullptr)
    message.put(attribute->nla_type, {static_cast<const std::uint8_t *>(nla_data(attribute)),
                                      static_cast<std::size_t>(nla_len(attribute))});
}

Result<std::vector<Message>> deletions_of(const UniqueFd &fd, Family family,
                                          const std::set<Port> &ports) {
  std::vector<Message> request, deletions;
  request.push_back(request_of(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family));
  SLUICE_TRY(send_netfilter(fd, request), "list connections");
  bool done = false;
  while (!done && receive_netfilter(fd, [&](const nlmsghdr &part) {
    done |= part.nlmsg_type == NLMSG_DONE || part.nlmsg_type == NLMSG_ERROR;
    Attributes<CTA_MAX> found{};
    if (done ||
        nlmsg_parse(const_cast<nlmsghdr *>(&part), sizeof(nfgenmsg), found.data(), CTA_MAX,
                    nullptr) < 0 ||
        found[CTA_TUPLE_ORIG] == nullptr)
      return;
    const auto [protocol, port] = target_of(found[CTA_TUPLE_ORIG]);
    if (protocol != static_cast<std::uint8_t>(Protocol::udp) || ports.count(port) == 0)
      return;
    auto &deletion = deletions.emplace_back(request_of(IPCTNL_MSG_CT_DELETE, 0, family));
    copy(deletion, found[CTA_TUPLE_ORIG]);
    copy(deletion, found[CTA_ZONE]);
    copy(deletion, found[CTA_ID]);
  })) {
  }
  return deletions;
}

} // namespace

Result<std::size_t> forget_udp(Family family, const std::set<Port> &ports) {
  if (ports.empty())
    return 0;
  SLUICE_ASSIGN(const auto fd, open_netfilter_socket(), "forget UDP connections");
  SLUICE_ASSIGN(auto deletions, deletions_of(fd, family, ports), "forget UDP connections");
  // One at a time: a long list would not fit into one datagram. What has gone meanwhile is gone.
  for (auto &deletion : deletions) {
    std::vector<Message> one;
    one.push_back(std::move(deletion));
    SLUICE_TRY(send_netfilter(fd, one), "forget a UDP connection");
  }
  return deletions.size();
}

} // namespace sluice::cni
