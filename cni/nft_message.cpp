#include "cni/nft_message.hpp"

#include "cni/nfnetlink.hpp"

#include <array>
#include <cerrno>
#include <linux/rtnetlink.h>

namespace sluice::cni::nft {
namespace {

constexpr std::size_t kLongestComment = 128;
constexpr std::uint8_t kCommentUdata = 0;      // NFTNL_UDATA_RULE_COMMENT, of tables too
constexpr std::uint8_t kNetworkUdata = 0x53;   // ours; nft(8) skips types that it does not know
constexpr std::uint32_t kTranslated = 1U << 5; // IPS_DST_NAT
constexpr std::uint32_t kSourceMacOffset = 6;  // of an Ethernet header
constexpr std::uint32_t kAddressType = 3;      // NFT_FIB_RESULT_ADDRTYPE

constexpr std::uint16_t type_of(unsigned message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

Message message_for(unsigned type, std::uint16_t flags, std::uint8_t family) {
  return Message(type_of(type), flags, nfnetlink_header(family));
}

std::span<const std::uint8_t> bytes_of(const std::uint32_t &number) {
  return {reinterpret_cast<const std::uint8_t *>(&number), sizeof number};
}

/// One type-length-value element of user data, its text with the zero at its end.
void put_udata(std::vector<std::uint8_t> &into, std::uint8_t type, const std::string &text) {
  if (text.empty())
    return;
  const auto length = std::min(text.size(), kLongestComment);
  into.push_back(type);
  into.push_back(static_cast<std::uint8_t>(length + 1));
  into.insert(into.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
  into.push_back(0);
}

RuleNote note_in(std::span<const std::uint8_t> udata) {
  RuleNote note;
  while (udata.size() >= 2 && udata.size() >= 2U + udata[1]) {
    const auto value = udata.subspan(2, udata[1]);
    const std::string text(reinterpret_cast<const char *>(value.data()),
                           value.empty() ? 0 : value.size() - 1);
    if (udata[0] == kCommentUdata)
      note.comment = text;
    else if (udata[0] == kNetworkUdata)
      note.network = text;
    udata = udata.subspan(2 + value.size());
  }
  return note;
}

ListedRule rule_in(const nlmsghdr &message) {
  std::array<nlattr *, NFTA_RULE_MAX + 1> found{};
  nlmsg_parse(const_cast<nlmsghdr *>(&message), sizeof(nfgenmsg), found.data(), NFTA_RULE_MAX,
              nullptr);
  ListedRule rule;
  if (found[NFTA_RULE_CHAIN] != nullptr)
    rule.chain = nla_get_string(found[NFTA_RULE_CHAIN]);
  if (found[NFTA_RULE_HANDLE] != nullptr)
    rule.handle = be64toh(nla_get_u64(found[NFTA_RULE_HANDLE]));
  if (auto *udata = found[NFTA_RULE_USERDATA]; udata != nullptr)
    rule.note = note_in({static_cast<const std::uint8_t *>(nla_data(udata)),
                         static_cast<std::size_t>(nla_len(udata))});
  return rule;
}

std::uint32_t rules_of_chain(const nlmsghdr &message) {
  std::array<nlattr *, NFTA_CHAIN_MAX + 1> found{};
  nlmsg_parse(const_cast<nlmsghdr *>(&message), sizeof(nfgenmsg), found.data(), NFTA_CHAIN_MAX,
              nullptr);
  return found[NFTA_CHAIN_USE] != nullptr ? ntohl(nla_get_u32(found[NFTA_CHAIN_USE])) : 0;
}

} // namespace

std::uint8_t family_number(Family family) noexcept {
  return family == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

template <class Fill> void Expressions::expression(const char *name, Fill fill) {
  message_.nest(NFTA_LIST_ELEM, [&] {
    message_.put(NFTA_EXPR_NAME, std::string(name));
    message_.nest(NFTA_EXPR_DATA, fill);
  });
}

void Expressions::number(int attribute, std::uint32_t value) {
  message_.put_u32(attribute, htonl(value));
}

void Expressions::data(int attribute, std::span<const std::uint8_t> bytes) {
  message_.nest(attribute, [&] { message_.put(NFTA_DATA_VALUE, bytes); });
}

void Expressions::compare(bool equal, std::span<const std::uint8_t> bytes) {
  expression("cmp", [&] {
    number(NFTA_CMP_SREG, NFT_REG_1);
    number(NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
    data(NFTA_CMP_DATA, bytes);
  });
}

void Expressions::payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length) {
  expression("payload", [&] {
    number(NFTA_PAYLOAD_DREG, NFT_REG_1);
    number(NFTA_PAYLOAD_BASE, base);
    number(NFTA_PAYLOAD_OFFSET, offset);
    number(NFTA_PAYLOAD_LEN, length);
  });
}

void Expressions::mask(std::span<const std::uint8_t> bits) {
  const std::vector<std::uint8_t> zeros(bits.size());
  expression("bitwise", [&] {
    number(NFTA_BITWISE_SREG, NFT_REG_1);
    number(NFTA_BITWISE_DREG, NFT_REG_1);
    number(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(bits.size()));
    data(NFTA_BITWISE_MASK, bits);
    data(NFTA_BITWISE_XOR, zeros);
  });
}

void Expressions::immediate(std::uint32_t destination, std::span<const std::uint8_t> bytes) {
  expression("immediate", [&] {
    number(NFTA_IMMEDIATE_DREG, destination);
    data(NFTA_IMMEDIATE_DATA, bytes);
  });
}

void Expressions::meta_is(std::uint32_t key, std::span<const std::uint8_t> value, bool equal) {
  expression("meta", [&] {
    number(NFTA_META_DREG, NFT_REG_1);
    number(NFTA_META_KEY, key);
  });
  compare(equal, value);
}

void Expressions::address(unsigned offset, const Cidr &network, bool inside) {
  payload(NFT_PAYLOAD_NETWORK_HEADER, offset, network.address().bits() / 8);
  if (network.prefix_length() < network.address().bits()) {
    const auto netmask = network.netmask();
    mask(netmask.bytes());
  }
  compare(inside, network.address().bytes());
}

void Expressions::source(const Cidr &network, bool inside) {
  address(network.address().is_v4() ? 12 : 8, network, inside);
}

void Expressions::destination(const Cidr &network, bool inside) {
  address(network.address().is_v4() ? 16 : 24, network, inside);
}

void Expressions::port(std::uint8_t protocol, std::uint16_t port) {
  meta_is(NFT_META_L4PROTO, {&protocol, 1});
  payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof port);
  const std::array<std::uint8_t, 2> bytes = {static_cast<std::uint8_t>(port >> 8),
                                             static_cast<std::uint8_t>(port)};
  compare(true, bytes);
}

void Expressions::destination_is_local() {
  expression("fib", [&] {
    number(NFTA_FIB_DREG, NFT_REG_1);
    number(NFTA_FIB_RESULT, kAddressType);
    number(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  });
  compare(true, bytes_of(RTN_LOCAL));
}

void Expressions::is_translated() {
  expression("ct", [&] {
    number(NFTA_CT_DREG, NFT_REG_1);
    number(NFTA_CT_KEY, NFT_CT_STATUS);
  });
  mask(bytes_of(kTranslated));
  compare(false, bytes_of(0));
}

void Expressions::source_mac(std::span<const std::uint8_t> mac) {
  payload(NFT_PAYLOAD_LL_HEADER, kSourceMacOffset, static_cast<std::uint32_t>(mac.size()));
  compare(true, mac);
}

void Expressions::verdict(int code, const std::string &chain) {
  expression("immediate", [&] {
    number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    message_.nest(NFTA_IMMEDIATE_DATA, [&] {
      message_.nest(NFTA_DATA_VERDICT, [&] {
        number(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
        if (!chain.empty())
          message_.put(NFTA_VERDICT_CHAIN, chain);
      });
    });
  });
}

void Expressions::translate_to(const IpAddress &ip, std::uint16_t port) {
  const std::array<std::uint8_t, 2> bytes = {static_cast<std::uint8_t>(port >> 8),
                                             static_cast<std::uint8_t>(port)};
  immediate(NFT_REG_1, ip.bytes());
  immediate(NFT_REG_2, bytes);
  expression("nat", [&] {
    number(NFTA_NAT_TYPE, NFT_NAT_DNAT);
    number(NFTA_NAT_FAMILY, family_number(ip.family()));
    number(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
    number(NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
  });
}

void Expressions::masquerade() {
  expression("masq", [] {});
}

Batch::Batch() {
  messages_.push_back(
      Message(NFNL_MSG_BATCH_BEGIN, 0, nfnetlink_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES)));
}

void Batch::table(const Table &table, const std::string &comment) {
  auto &message = messages_.emplace_back(message_for(NFT_MSG_NEWTABLE, NLM_F_CREATE, table.family));
  message.put(NFTA_TABLE_NAME, table.name);
  std::vector<std::uint8_t> udata;
  put_udata(udata, kCommentUdata, comment);
  if (!udata.empty())
    message.put(NFTA_TABLE_USERDATA, std::span<const std::uint8_t>(udata));
}

void Batch::chain(const Table &table, const std::string &name, const std::optional<Hook> &hook) {
  auto &message = messages_.emplace_back(message_for(NFT_MSG_NEWCHAIN, NLM_F_CREATE, table.family));
  message.put(NFTA_CHAIN_TABLE, table.name);
  message.put(NFTA_CHAIN_NAME, name);
  if (!hook)
    return;
  message.nest(NFTA_CHAIN_HOOK, [&] {
    message.put_u32(NFTA_HOOK_HOOKNUM, htonl(hook->number));
    message.put_u32(NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(hook->priority)));
  });
  message.put(NFTA_CHAIN_TYPE, std::string(hook->type));
}

void Batch::flush(const Table &table, const std::string &chain) {
  auto &message = messages_.emplace_back(message_for(NFT_MSG_DELRULE, 0, table.family));
  message.put(NFTA_RULE_TABLE, table.name);
  message.put(NFTA_RULE_CHAIN, chain);
}

void Batch::remove_chain(const Table &table, const std::string &chain) {
  auto &message = messages_.emplace_back(message_for(NFT_MSG_DELCHAIN, 0, table.family));
  message.put(NFTA_CHAIN_TABLE, table.name);
  message.put(NFTA_CHAIN_NAME, chain);
}

void Batch::remove(const Table &table, const std::string &chain, std::uint64_t handle) {
  flush(table, chain);
  const std::uint64_t big_endian = htobe64(handle);
  messages_.back().put(NFTA_RULE_HANDLE,
                       {reinterpret_cast<const std::uint8_t *>(&big_endian), sizeof big_endian});
}

void Batch::rule(const Table &table, const std::string &chain, const Fill &fill,
                 const RuleNote &note, std::uint16_t flags) {
  auto &message = messages_.emplace_back(message_for(NFT_MSG_NEWRULE, flags, table.family));
  message.put(NFTA_RULE_TABLE, table.name);
  message.put(NFTA_RULE_CHAIN, chain);
  message.nest(NFTA_RULE_EXPRESSIONS, [&] {
    Expressions expressions(message);
    fill(expressions);
  });
  std::vector<std::uint8_t> udata;
  put_udata(udata, kCommentUdata, note.comment);
  put_udata(udata, kNetworkUdata, note.network);
  if (!udata.empty())
    message.put(NFTA_RULE_USERDATA, std::span<const std::uint8_t>(udata));
}

void Batch::append(const Table &table, const std::string &chain, const Fill &fill,
                   const RuleNote &note) {
  rule(table, chain, fill, note, NLM_F_CREATE | NLM_F_APPEND);
}

void Batch::insert(const Table &table, const std::string &chain, const Fill &fill,
                   const RuleNote &note) {
  rule(table, chain, fill, note, NLM_F_CREATE);
}

Result<Socket> Socket::open() {
  SLUICE_ASSIGN(auto fd, open_netfilter_socket(), "use nf_tables");
  return Socket(std::move(fd));
}

Result<> Socket::send(std::vector<Message> &messages) { return send_netfilter(fd_, messages); }

Result<> Socket::commit(Batch batch, const std::string &doing) {
  batch.messages_.push_back(
      Message(NFNL_MSG_BATCH_END, 0, nfnetlink_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES)));
  SLUICE_TRY(send(batch.messages_), doing);
  int err = 0;
  while (receive_netfilter(
      fd_, [&](const nlmsghdr &message) { err = err != 0 ? err : error_in(message); })) {
  }
  return err == 0 ? Result<>{} : fail(Error::from_errno(err, doing));
}

Result<std::vector<ListedRule>> Socket::list(const Table &table, const std::string &chain) {
  const auto doing = "list the rules of nft table \"" + table.name + "\"";
  std::vector<Message> request;
  auto &message = request.emplace_back(message_for(NFT_MSG_GETRULE, NLM_F_DUMP, table.family));
  message.put(NFTA_RULE_TABLE, table.name);
  if (!chain.empty())
    message.put(NFTA_RULE_CHAIN, chain);
  SLUICE_TRY(send(request), doing);
  std::vector<ListedRule> rules;
  int err = 0;
  bool done = false;
  while (!done && receive_netfilter(fd_, [&](const nlmsghdr &part) {
    if (part.nlmsg_type == type_of(NFT_MSG_NEWRULE))
      rules.push_back(rule_in(part));
    done |= part.nlmsg_type == NLMSG_DONE || part.nlmsg_type == NLMSG_ERROR;
    err = err != 0 ? err : error_in(part);
  })) {
  }
  if (err != 0 && err != ENOENT)
    return fail(Error::from_errno(err, doing));
  return rules;
}

Result<std::vector<std::uint32_t>> Socket::count_rules(const Table &table,
                                                       const std::vector<std::string> &chains) {
  std::vector<Message> request;
  for (const auto &chain : chains) {
    auto &message = request.emplace_back(message_for(NFT_MSG_GETCHAIN, 0, table.family));
    message.put(NFTA_CHAIN_TABLE, table.name);
    message.put(NFTA_CHAIN_NAME, chain);
  }
  SLUICE_TRY(send(request), "look for chains of nft table \"" + table.name + "\"");
  std::vector<std::uint32_t> counts(chains.size());
  std::size_t answers = 0;
  while (answers < chains.size() && receive_netfilter(fd_, [&](const nlmsghdr &part) {
           ++answers;
           // Answers carry the number of their request, and those count from 1.
           if (part.nlmsg_type == type_of(NFT_MSG_NEWCHAIN) && part.nlmsg_seq - 1 < counts.size())
             counts[part.nlmsg_seq - 1] = rules_of_chain(part);
         })) {
  }
  return counts;
}

Result<bool> Socket::has_chain(const Table &table, const std::string &chain) {
  std::vector<Message> request;
  auto &message = request.emplace_back(message_for(NFT_MSG_GETCHAIN, 0, table.family));
  message.put(NFTA_CHAIN_TABLE, table.name);
  message.put(NFTA_CHAIN_NAME, chain);
  SLUICE_TRY(send(request), "look for nft chain \"" + chain + "\"");
  bool found = false;
  while (receive_netfilter(
      fd_, [&](const nlmsghdr &part) { found |= part.nlmsg_type == type_of(NFT_MSG_NEWCHAIN); })) {
  }
  return found;
}

} // namespace sluice::cni::nft
