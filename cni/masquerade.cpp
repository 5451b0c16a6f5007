#include "cni/masquerade.hpp"

#include "kernel/rtnl/message.hpp"
#include "net/unique_fd.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <vector>

namespace sluice::cni {

using kernel::rtnl::Message;

namespace {

constexpr std::int32_t kSourceNatPriority = 100; // NF_IP_PRI_NAT_SRC
constexpr std::uint8_t kBytesPerBit = 8;

nfgenmsg header_of(std::uint8_t family, std::uint16_t resource = 0) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  return header;
}

Message nft_message(unsigned type, std::uint16_t flags) {
  return Message(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
                 header_of(NFPROTO_INET));
}

Message batch_mark(std::uint16_t type) {
  return Message(type, 0, header_of(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

/// The expressions of one rule, in the kernel's own terms (linux/netfilter/nf_tables.h).
class RuleBody {
public:
  RuleBody(Message &message, const Cidr &pods) : message_(message), pods_(pods) {}

  void put() {
    const bool v4 = pods_.family() == Family::ipv4;
    load_nfproto();
    const std::uint8_t family = v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
    compare(NFT_CMP_EQ, {&family, 1});
    const unsigned source = v4 ? 12 : 8, destination = v4 ? 16 : 24;
    match(source, pods_, NFT_CMP_EQ);
    match(destination, pods_, NFT_CMP_NEQ);
    match(destination, Cidr::parse(v4 ? "224.0.0.0/4" : "ff00::/8").value(), NFT_CMP_NEQ);
    expression("masq", [] {});
  }

private:
  template <class Fill> void expression(const char *name, Fill fill) {
    message_.nest(NFTA_LIST_ELEM, [&] {
      message_.put(NFTA_EXPR_NAME, std::string(name));
      message_.nest(NFTA_EXPR_DATA, fill);
    });
  }
  void number(int attribute, std::uint32_t value) { message_.put_u32(attribute, htonl(value)); }
  void data(int attribute, std::span<const std::uint8_t> bytes) {
    message_.nest(attribute, [&] { message_.put(NFTA_DATA_VALUE, bytes); });
  }
  void load_nfproto() {
    expression("meta", [&] {
      number(NFTA_META_DREG, NFT_REG_1);
      number(NFTA_META_KEY, NFT_META_NFPROTO);
    });
  }
  void compare(std::uint32_t operation, std::span<const std::uint8_t> bytes) {
    expression("cmp", [&] {
      number(NFTA_CMP_SREG, NFT_REG_1);
      number(NFTA_CMP_OP, operation);
      data(NFTA_CMP_DATA, bytes);
    });
  }
  void match(unsigned offset, const Cidr &network, std::uint32_t operation) {
    const auto length = network.address().bits() / kBytesPerBit;
    expression("payload", [&] {
      number(NFTA_PAYLOAD_DREG, NFT_REG_1);
      number(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
      number(NFTA_PAYLOAD_OFFSET, offset);
      number(NFTA_PAYLOAD_LEN, length);
    });
    const std::vector<std::uint8_t> zeros(length);
    const auto mask = network.netmask();
    expression("bitwise", [&] {
      number(NFTA_BITWISE_SREG, NFT_REG_1);
      number(NFTA_BITWISE_DREG, NFT_REG_1);
      number(NFTA_BITWISE_LEN, length);
      data(NFTA_BITWISE_MASK, mask.bytes());
      data(NFTA_BITWISE_XOR, zeros);
    });
    compare(operation, network.address().bytes());
  }

  Message &message_;
  const Cidr &pods_;
};

/// Table, chain, the chain emptied, its rule: right whatever was there before.
std::vector<Message> masquerade_batch(const Cidr &pods) {
  const auto chain = masquerade_chain(pods);
  std::vector<Message> batch;
  batch.push_back(batch_mark(NFNL_MSG_BATCH_BEGIN));
  batch.push_back(nft_message(NFT_MSG_NEWTABLE, NLM_F_CREATE));
  batch.back().put(NFTA_TABLE_NAME, std::string(kMasqueradeTable));
  batch.push_back(nft_message(NFT_MSG_NEWCHAIN, NLM_F_CREATE));
  batch.back().put(NFTA_CHAIN_TABLE, std::string(kMasqueradeTable));
  batch.back().put(NFTA_CHAIN_NAME, chain);
  batch.back().nest(NFTA_CHAIN_HOOK, [&] {
    batch.back().put_u32(NFTA_HOOK_HOOKNUM, htonl(NF_INET_POST_ROUTING));
    batch.back().put_u32(NFTA_HOOK_PRIORITY, htonl(kSourceNatPriority));
  });
  batch.back().put(NFTA_CHAIN_TYPE, std::string("nat"));
  batch.push_back(nft_message(NFT_MSG_DELRULE, 0));
  batch.back().put(NFTA_RULE_TABLE, std::string(kMasqueradeTable));
  batch.back().put(NFTA_RULE_CHAIN, chain);
  batch.push_back(nft_message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK));
  batch.back().put(NFTA_RULE_TABLE, std::string(kMasqueradeTable));
  batch.back().put(NFTA_RULE_CHAIN, chain);
  batch.back().nest(NFTA_RULE_EXPRESSIONS, [&] { RuleBody(batch.back(), pods).put(); });
  batch.push_back(batch_mark(NFNL_MSG_BATCH_END));
  return batch;
}

class NfSocket {
public:
  static Result<NfSocket> open() {
    UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
      return fail(Error::from_errno(errno, "open a nf_tables socket"));
    return NfSocket(std::move(fd));
  }

  /// Sends in one datagram. The kernel works it off before send(2) returns.
  Result<> send(std::vector<Message> &messages) {
    std::vector<std::uint8_t> buffer;
    std::uint32_t sequence = 0;
    for (auto &message : messages) {
      message.header().nlmsg_seq = ++sequence;
      const auto bytes = message.bytes();
      buffer.insert(buffer.end(), bytes.begin(), bytes.end());
      buffer.resize(NLMSG_ALIGN(buffer.size()));
    }
    if (::send(fd_.get(), buffer.data(), buffer.size(), 0) < 0)
      return fail(Error::from_errno(errno, "send to nf_tables"));
    return {};
  }

  /// Calls `visit` for every message that waits; false when none does.
  template <class Visit> bool receive(Visit visit) {
    alignas(nlmsghdr) std::array<char, 16 * 1024> buffer;
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    auto left = static_cast<unsigned>(got > 0 ? got : 0);
    for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left))
      visit(*message);
    return got > 0;
  }

private:
  explicit NfSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

int error_in(const nlmsghdr &message) {
  return message.nlmsg_type == NLMSG_ERROR
             ? -static_cast<const nlmsgerr *>(NLMSG_DATA(&message))->error
             : 0;
}

} // namespace

std::string masquerade_chain(const Cidr &pods) {
  auto name = "masq-" + pods.str();
  for (auto &c : name)
    if (c == ':')
      c = '_';
  return name;
}

Outcome<bool> has_masquerade(const Cidr &pods) {
  SLUICE_ASSIGN(auto socket, NfSocket::open(), "read masquerade of " + pods.str());
  std::vector<Message> request;
  request.push_back(nft_message(NFT_MSG_GETRULE, NLM_F_DUMP));
  request.back().put(NFTA_RULE_TABLE, std::string(kMasqueradeTable));
  request.back().put(NFTA_RULE_CHAIN, masquerade_chain(pods));
  SLUICE_TRY(socket.send(request), "read masquerade of " + pods.str());
  bool found = false, done = false;
  // The first part of a dump is there when send(2) returns; one rule is one part.
  while (!done && socket.receive([&](const nlmsghdr &message) {
    found |= message.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
    done |= message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR;
  })) {
  }
  return found;
}

Outcome<> ensure_masquerade(const Cidr &pods) {
  SLUICE_TAKE(const bool present, has_masquerade(pods));
  if (present)
    return {};
  const auto doing = "masquerade " + pods.str() + " in nft table \"inet " + kMasqueradeTable + "\"";
  SLUICE_ASSIGN(auto socket, NfSocket::open(), doing);
  auto batch = masquerade_batch(pods);
  SLUICE_TRY(socket.send(batch), doing);
  int err = 0;
  while (
      socket.receive([&](const nlmsghdr &message) { err = err != 0 ? err : error_in(message); })) {
  }
  if (err != 0)
    return fail(Error::from_errno(err, doing));
  return {};
}

} // namespace sluice::cni
