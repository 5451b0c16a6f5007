#include "kernel/nft/rule_codec.hpp"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

namespace sluice::kernel::nft::detail {
namespace {

constexpr std::size_t kLongestComment = 128; // NFTNL_UDATA_COMMENT_MAXLEN

/// The kernel reports a register that starts a 16-byte one by that one's number.
std::uint32_t kernel_register(Reg reg) {
  return reg % 4 == 0 ? NFT_REG_1 + reg / 4U : static_cast<std::uint32_t>(NFT_REG32_00) + reg;
}

/// One libnftnl expression under construction; `attach` gives it to the rule.
class Build {
public:
  explicit Build(const char *name) : expr_(nftnl_expr_alloc(name)) {}
  Build &u32(std::uint16_t attribute, std::uint32_t value) {
    nftnl_expr_set_u32(expr_, attribute, value);
    return *this;
  }
  Build &u8(std::uint16_t attribute, std::uint8_t value) {
    nftnl_expr_set_u8(expr_, attribute, value);
    return *this;
  }
  Build &u64(std::uint16_t attribute, std::uint64_t value) {
    nftnl_expr_set_u64(expr_, attribute, value);
    return *this;
  }
  Build &reg(std::uint16_t attribute, Reg value) { return u32(attribute, kernel_register(value)); }
  Build &text(std::uint16_t attribute, const std::string &value) {
    nftnl_expr_set_str(expr_, attribute, value.c_str());
    return *this;
  }
  Build &data(std::uint16_t attribute, const Value &value) {
    nftnl_expr_set(expr_, attribute, value.bytes().data(),
                   static_cast<std::uint32_t>(value.size()));
    return *this;
  }
  void attach(nftnl_rule *rule) { nftnl_rule_add_expr(rule, expr_); }

private:
  nftnl_expr *expr_; // the rule's after attach, which every user calls
};

std::uint32_t verdict_number(VerdictCode code) {
  switch (code) {
  case VerdictCode::accept:
    return NF_ACCEPT;
  case VerdictCode::drop:
    return NF_DROP;
  case VerdictCode::jump:
    return static_cast<std::uint32_t>(NFT_JUMP);
  case VerdictCode::go_to:
    return static_cast<std::uint32_t>(NFT_GOTO);
  case VerdictCode::return_:
    return static_cast<std::uint32_t>(NFT_RETURN);
  case VerdictCode::continue_:
    return static_cast<std::uint32_t>(NFT_CONTINUE);
  }
  return NF_DROP;
}

struct RejectCode {
  std::uint32_t type;
  std::uint8_t code;
};

RejectCode reject_code(const Reject &reject) {
  const bool port = reject.with == RejectWith::port_unreachable;
  if (reject.with == RejectWith::tcp_reset)
    return {NFT_REJECT_TCP_RST, 0};
  if (reject.family == TableFamily::ipv4)
    return {NFT_REJECT_ICMP_UNREACH,
            static_cast<std::uint8_t>(port ? ICMP_PORT_UNREACH : ICMP_PKT_FILTERED)};
  if (reject.family == TableFamily::ipv6)
    return {NFT_REJECT_ICMP_UNREACH,
            static_cast<std::uint8_t>(port ? ICMPV6_PORT_UNREACH : ICMPV6_ADM_PROHIBITED)};
  return {NFT_REJECT_ICMPX_UNREACH,
          static_cast<std::uint8_t>(port ? NFT_REJECT_ICMPX_PORT_UNREACH
                                         : NFT_REJECT_ICMPX_ADMIN_PROHIBITED)};
}

struct Append {
  nftnl_rule *rule;

  void operator()(const Payload &e) const {
    Build("payload")
        .u32(NFTNL_EXPR_PAYLOAD_BASE, static_cast<std::uint32_t>(e.base))
        .u32(NFTNL_EXPR_PAYLOAD_OFFSET, e.offset_bytes)
        .u32(NFTNL_EXPR_PAYLOAD_LEN, e.length_bytes)
        .reg(NFTNL_EXPR_PAYLOAD_DREG, e.dreg)
        .attach(rule);
  }
  void operator()(const Meta &e) const {
    Build("meta")
        .u32(NFTNL_EXPR_META_KEY, static_cast<std::uint32_t>(e.key))
        .reg(NFTNL_EXPR_META_DREG, e.dreg)
        .attach(rule);
  }
  void operator()(const MetaSet &e) const {
    Build("meta")
        .u32(NFTNL_EXPR_META_KEY, static_cast<std::uint32_t>(e.key))
        .reg(NFTNL_EXPR_META_SREG, e.sreg)
        .attach(rule);
  }
  void operator()(const Ct &e) const {
    Build ct("ct");
    ct.u32(NFTNL_EXPR_CT_KEY, static_cast<std::uint32_t>(e.key)).reg(NFTNL_EXPR_CT_DREG, e.dreg);
    if (e.original_direction)
      ct.u8(NFTNL_EXPR_CT_DIR, 0); // IP_CT_DIR_ORIGINAL
    ct.attach(rule);
  }
  void operator()(const CtSet &e) const {
    Build("ct")
        .u32(NFTNL_EXPR_CT_KEY, static_cast<std::uint32_t>(e.key))
        .reg(NFTNL_EXPR_CT_SREG, e.sreg)
        .attach(rule);
  }
  void operator()(const Cmp &e) const {
    Build("cmp")
        .u32(NFTNL_EXPR_CMP_OP, static_cast<std::uint32_t>(e.op))
        .reg(NFTNL_EXPR_CMP_SREG, e.sreg)
        .data(NFTNL_EXPR_CMP_DATA, e.value)
        .attach(rule);
  }
  void operator()(const Range &e) const {
    Build("range")
        .u32(NFTNL_EXPR_RANGE_OP, e.invert ? NFT_RANGE_NEQ : NFT_RANGE_EQ)
        .reg(NFTNL_EXPR_RANGE_SREG, e.sreg)
        .data(NFTNL_EXPR_RANGE_FROM_DATA, e.from)
        .data(NFTNL_EXPR_RANGE_TO_DATA, e.to)
        .attach(rule);
  }
  void operator()(const Bitwise &e) const {
    Build("bitwise")
        .reg(NFTNL_EXPR_BITWISE_SREG, e.sreg)
        .reg(NFTNL_EXPR_BITWISE_DREG, e.dreg)
        .u32(NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL)
        .u32(NFTNL_EXPR_BITWISE_LEN, static_cast<std::uint32_t>(e.mask.size()))
        .data(NFTNL_EXPR_BITWISE_MASK, e.mask)
        .data(NFTNL_EXPR_BITWISE_XOR, e.xor_)
        .attach(rule);
  }
  void operator()(const Byteorder &e) const {
    Build("byteorder")
        .reg(NFTNL_EXPR_BYTEORDER_SREG, e.sreg)
        .reg(NFTNL_EXPR_BYTEORDER_DREG, e.dreg)
        .u32(NFTNL_EXPR_BYTEORDER_OP, e.to_network ? NFT_BYTEORDER_HTON : NFT_BYTEORDER_NTOH)
        .u32(NFTNL_EXPR_BYTEORDER_LEN, e.length_bytes)
        .u32(NFTNL_EXPR_BYTEORDER_SIZE, e.unit_bytes)
        .attach(rule);
  }
  void operator()(const Lookup &e) const {
    Build lookup("lookup");
    lookup.text(NFTNL_EXPR_LOOKUP_SET, e.set).reg(NFTNL_EXPR_LOOKUP_SREG, e.sreg);
    if (e.to_verdict)
      lookup.u32(NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
    else if (e.dreg)
      lookup.reg(NFTNL_EXPR_LOOKUP_DREG, *e.dreg);
    lookup.u32(NFTNL_EXPR_LOOKUP_FLAGS, e.invert ? NFT_LOOKUP_F_INV : 0).attach(rule);
  }
  void operator()(const Immediate &e) const {
    Build("immediate")
        .reg(NFTNL_EXPR_IMM_DREG, e.dreg)
        .data(NFTNL_EXPR_IMM_DATA, e.value)
        .attach(rule);
  }
  void operator()(const Verdict &e) const {
    Build immediate("immediate");
    immediate.u32(NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT)
        .u32(NFTNL_EXPR_IMM_VERDICT, verdict_number(e.code));
    if (!e.chain.empty())
      immediate.text(NFTNL_EXPR_IMM_CHAIN, e.chain);
    immediate.attach(rule);
  }
  void operator()(const Numgen &e) const {
    Build("numgen")
        .reg(NFTNL_EXPR_NG_DREG, e.dreg)
        .u32(NFTNL_EXPR_NG_MODULUS, e.modulus)
        .u32(NFTNL_EXPR_NG_TYPE, e.random ? NFT_NG_RANDOM : NFT_NG_INCREMENTAL)
        .u32(NFTNL_EXPR_NG_OFFSET, e.offset)
        .attach(rule);
  }
  void operator()(const Nat &e) const {
    Build nat("nat");
    nat.u32(NFTNL_EXPR_NAT_TYPE, e.source ? NFT_NAT_SNAT : NFT_NAT_DNAT)
        .u32(NFTNL_EXPR_NAT_FAMILY, e.family == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    // The kernel adds these two flags itself, and reports a single register as a range of one.
    std::uint32_t flags = e.flags;
    if (e.address) {
      nat.reg(NFTNL_EXPR_NAT_REG_ADDR_MIN, *e.address).reg(NFTNL_EXPR_NAT_REG_ADDR_MAX, *e.address);
      flags |= NF_NAT_RANGE_MAP_IPS;
    }
    if (e.port) {
      nat.reg(NFTNL_EXPR_NAT_REG_PROTO_MIN, *e.port).reg(NFTNL_EXPR_NAT_REG_PROTO_MAX, *e.port);
      flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
    }
    nat.u32(NFTNL_EXPR_NAT_FLAGS, flags);
    nat.attach(rule);
  }
  void operator()(const Masquerade &e) const {
    Build("masq").u32(NFTNL_EXPR_MASQ_FLAGS, e.flags).attach(rule);
  }
  void operator()(const Reject &e) const {
    const auto [type, code] = reject_code(e);
    Build("reject").u32(NFTNL_EXPR_REJECT_TYPE, type).u8(NFTNL_EXPR_REJECT_CODE, code).attach(rule);
  }
  void operator()(const Counter &) const {
    Build("counter").u64(NFTNL_EXPR_CTR_PACKETS, 0).u64(NFTNL_EXPR_CTR_BYTES, 0).attach(rule);
  }
  void operator()(const Fib &e) const {
    Build("fib")
        .u32(NFTNL_EXPR_FIB_RESULT, static_cast<std::uint32_t>(e.result))
        .u32(NFTNL_EXPR_FIB_FLAGS, e.flags)
        .reg(NFTNL_EXPR_FIB_DREG, e.dreg)
        .attach(rule);
  }
  void operator()(const Dynset &e) const {
    Build dynset("dynset");
    dynset.text(NFTNL_EXPR_DYNSET_SET_NAME, e.set)
        .u32(NFTNL_EXPR_DYNSET_OP, static_cast<std::uint32_t>(e.op))
        .reg(NFTNL_EXPR_DYNSET_SREG_KEY, e.sreg_key);
    if (e.sreg_data)
      dynset.reg(NFTNL_EXPR_DYNSET_SREG_DATA, *e.sreg_data);
    if (e.timeout.count() > 0)
      dynset.u64(NFTNL_EXPR_DYNSET_TIMEOUT, static_cast<std::uint64_t>(e.timeout.count()));
    dynset.attach(rule);
  }
};

int append_text(nftnl_expr *expr, void *data) {
  auto &text = *static_cast<std::string *>(data);
  char buffer[512];
  const int length = nftnl_expr_snprintf(buffer, sizeof buffer, expr, NFTNL_OUTPUT_DEFAULT, 0);
  std::string_view words(
      buffer,
      std::min<std::size_t>(length < 0 ? 0 : static_cast<std::size_t>(length), sizeof buffer - 1));
  while (!words.empty() && words.back() == ' ')
    words.remove_suffix(1);
  // A counter counts: how far is no part of the rule.
  const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
  if (name != nullptr && std::string_view(name) == "counter")
    words = "";
  // The kernel reports the timeout that a dynset has not been given as 0.
  if (constexpr std::string_view none = " timeout 0ms"; words.ends_with(none))
    words.remove_suffix(none.size());
  text += text.empty() ? "[ " : " [ ";
  text += name == nullptr ? "" : name;
  if (!words.empty())
    text.append(" ").append(words);
  text += " ]";
  return 0;
}

} // namespace

void FreeRule::operator()(nftnl_rule *rule) const noexcept { nftnl_rule_free(rule); }

std::vector<std::uint8_t> comment_userdata(std::string_view comment) {
  comment = comment.substr(0, kLongestComment - 1);
  std::vector<std::uint8_t> data;
  if (comment.empty())
    return data;
  data = {0, static_cast<std::uint8_t>(comment.size() + 1)};
  data.insert(data.end(), comment.begin(), comment.end());
  data.push_back(0);
  return data;
}

std::string comment_of(std::span<const std::uint8_t> userdata) {
  while (userdata.size() >= 2 && userdata.size() >= 2U + userdata[1]) {
    const std::size_t length = userdata[1];
    if (userdata[0] == 0 && length > 0)
      return {reinterpret_cast<const char *>(userdata.data()) + 2, length - 1};
    userdata = userdata.subspan(2 + length);
  }
  return {};
}

RulePtr to_libnftnl(const TableId &table, const Rule &rule) {
  RulePtr out(nftnl_rule_alloc());
  nftnl_rule_set_u32(out.get(), NFTNL_RULE_FAMILY, static_cast<std::uint32_t>(table.family));
  nftnl_rule_set_str(out.get(), NFTNL_RULE_TABLE, table.name.c_str());
  nftnl_rule_set_str(out.get(), NFTNL_RULE_CHAIN, rule.chain.c_str());
  if (const auto userdata = comment_userdata(rule.comment); !userdata.empty())
    nftnl_rule_set_data(out.get(), NFTNL_RULE_USERDATA, userdata.data(),
                        static_cast<std::uint32_t>(userdata.size()));
  for (const auto &expr : rule.exprs)
    std::visit(Append{out.get()}, expr);
  return out;
}

std::string text_of(const nftnl_rule *rule) {
  std::string text;
  // libnftnl walks the list without changing it, but takes no const.
  nftnl_expr_foreach(const_cast<nftnl_rule *>(rule), append_text, &text);
  return text;
}

std::optional<RuleInfo> rule_from(const nlmsghdr *message, const TableId &table) {
  const RulePtr rule(nftnl_rule_alloc());
  if (nftnl_rule_nlmsg_parse(message, rule.get()) < 0)
    return std::nullopt;
  const char *name = nftnl_rule_get_str(rule.get(), NFTNL_RULE_TABLE);
  const char *chain = nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN);
  if (name == nullptr || chain == nullptr || table.name != name ||
      nftnl_rule_get_u32(rule.get(), NFTNL_RULE_FAMILY) != static_cast<std::uint32_t>(table.family))
    return std::nullopt;
  std::uint32_t length = 0;
  const auto *userdata = static_cast<const std::uint8_t *>(
      nftnl_rule_get_data(rule.get(), NFTNL_RULE_USERDATA, &length));
  return RuleInfo{.chain = chain,
                  .handle = nftnl_rule_get_u64(rule.get(), NFTNL_RULE_HANDLE),
                  .text = text_of(rule.get()),
                  .comment = userdata == nullptr ? "" : comment_of({userdata, length})};
}

} // namespace sluice::kernel::nft::detail

namespace sluice::kernel::nft {

std::string text_of(TableFamily family, const Rule &rule) {
  return detail::text_of(detail::to_libnftnl({family, "t"}, rule).get());
}

} // namespace sluice::kernel::nft
