#include "kernel/mark_rule.hpp"

#include "kernel/rtnl/netlink_socket.hpp"

#include <cerrno>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

namespace sluice::kernel {
namespace {

std::string words_of(const MarkRule &rule) {
  return "rule fwmark " + std::to_string(rule.mark) + "/" + std::to_string(rule.mask) + " lookup " +
         std::to_string(rule.table) + " (" + std::string(name_of(rule.family)) + ")";
}

fib_rule_hdr header_of(const MarkRule &rule) {
  fib_rule_hdr header{};
  header.family = rule.family == Family::ipv4 ? AF_INET : AF_INET6;
  header.action = FR_ACT_TO_TBL;
  header.table = static_cast<std::uint8_t>(rule.table < 256 ? rule.table : RT_TABLE_UNSPEC);
  return header;
}

rtnl::Message message_of(std::uint16_t type, std::uint16_t flags, const MarkRule &rule) {
  rtnl::Message message(type, flags, header_of(rule));
  message.put_u32(FRA_PRIORITY, rule.priority);
  message.put_u32(FRA_FWMARK, rule.mark);
  message.put_u32(FRA_FWMASK, rule.mask);
  message.put_u32(FRA_TABLE, rule.table);
  message.put_u8(FRA_PROTOCOL, rule.protocol);
  return message;
}

/// An answer of `accepted` is as good as none.
Result<> change(rtnl::Message message, int accepted, const std::string &doing) {
  SLUICE_ASSIGN(auto socket, rtnl::NetlinkSocket::open(), doing);
  socket.queue(message);
  SLUICE_ASSIGN(const auto answers, socket.send(), doing);
  if (!answers.empty() && answers.front().err != accepted)
    return fail(rtnl::error_of(answers.front(), doing));
  return {};
}

std::optional<MarkRule> rule_in(const nlmsghdr &message, Family family) {
  auto *header = const_cast<nlmsghdr *>(&message);
  nlattr *a[FRA_MAX + 1];
  if (nlmsg_parse(header, sizeof(fib_rule_hdr), a, FRA_MAX, nullptr) < 0)
    return std::nullopt;
  const auto number = [&](int type) { return a[type] ? nla_get_u32(a[type]) : 0; };
  return MarkRule{family,
                  number(FRA_FWMARK),
                  number(FRA_FWMASK),
                  number(FRA_TABLE),
                  number(FRA_PRIORITY),
                  a[FRA_PROTOCOL] ? nla_get_u8(a[FRA_PROTOCOL]) : std::uint8_t{0}};
}

} // namespace

Result<> add_mark_rule(const MarkRule &rule) {
  return change(message_of(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule), EEXIST,
                "add " + words_of(rule));
}

Result<> remove_mark_rule(const MarkRule &rule) {
  return change(message_of(RTM_DELRULE, 0, rule), ENOENT, "remove " + words_of(rule));
}

Result<bool> has_mark_rule(const MarkRule &rule) {
  SLUICE_ASSIGN(auto socket, rtnl::NetlinkSocket::open(), "read the rules");
  fib_rule_hdr header{};
  header.family = header_of(rule).family;
  rtnl::Message request(RTM_GETRULE, 0, header);
  bool found = false;
  SLUICE_TRY(
      socket.dump(
          request, "read the rules", [&] { found = false; },
          [&](const nlmsghdr &message) { found = found || rule_in(message, rule.family) == rule; }),
      "policy routing");
  return found;
}

} // namespace sluice::kernel
