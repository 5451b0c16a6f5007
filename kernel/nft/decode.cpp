#include "kernel/nft/decode.hpp"
#include "kernel/nft/attributes.hpp"
#include "kernel/nft/rule_codec.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace sluice::kernel::nft::detail {
namespace {

/// The attributes of one level by type; each nullptr if absent.
template <std::size_t Max> class Attributes {
public:
  explicit Attributes(const nlmsghdr *message) { keep(payload_of(message, sizeof(nfgenmsg))); }
  explicit Attributes(const nlattr *nest) {
    if (nest != nullptr)
      keep(payload_of(nest));
  }
  const nlattr *operator[](std::size_t type) const { return found_[type]; }

  std::span<const std::uint8_t> bytes(std::size_t type) const {
    return found_[type] == nullptr ? std::span<const std::uint8_t>() : payload_of(found_[type]);
  }
  std::string text(std::size_t type) const {
    const auto all = bytes(type);
    const std::string_view view(reinterpret_cast<const char *>(all.data()), all.size());
    return std::string(view.substr(0, view.find('\0')));
  }
  std::uint32_t be32(std::size_t type) const {
    return bytes(type).size() < 4 ? 0 : ntohl(mnl_attr_get_u32(found_[type]));
  }
  std::uint64_t be64(std::size_t type) const {
    return bytes(type).size() < 8 ? 0 : be64toh(mnl_attr_get_u64(found_[type]));
  }

private:
  void keep(std::span<const std::uint8_t> bytes) {
    for_each_attribute(bytes, [this](const nlattr *attribute) {
      if (const auto type = mnl_attr_get_type(attribute); type <= Max)
        found_[type] = attribute;
      return true;
    });
  }
  std::array<const nlattr *, Max + 1> found_{};
};

TableFamily family_of(const nlmsghdr *message) {
  return TableFamily{static_cast<const nfgenmsg *>(mnl_nlmsg_get_payload(message))->nfgen_family};
}

/// The data of a register as it came: its length is the kernel's.
Value value_from(std::span<const std::uint8_t> bytes) {
  return Value(bytes).truncate(bytes.size());
}

ChainType chain_type(const std::string &name) {
  return name == "nat" ? ChainType::nat : name == "route" ? ChainType::route : ChainType::filter;
}

VerdictCode verdict_code(std::int32_t number) {
  switch (number) {
  case NF_ACCEPT:
    return VerdictCode::accept;
  case NFT_JUMP:
    return VerdictCode::jump;
  case NFT_GOTO:
    return VerdictCode::go_to;
  case NFT_RETURN:
    return VerdictCode::return_;
  case NFT_CONTINUE:
    return VerdictCode::continue_;
  default:
    return VerdictCode::drop;
  }
}

Element element_from(const nlattr *nest) {
  const Attributes<NFTA_SET_ELEM_MAX> attributes(nest);
  const Attributes<NFTA_DATA_MAX> key(attributes[NFTA_SET_ELEM_KEY]);
  const Attributes<NFTA_DATA_MAX> data(attributes[NFTA_SET_ELEM_DATA]);
  Element element{.key = value_from(key.bytes(NFTA_DATA_VALUE)),
                  .data = value_from(data.bytes(NFTA_DATA_VALUE))};
  if (data[NFTA_DATA_VERDICT] != nullptr) {
    const Attributes<NFTA_VERDICT_MAX> verdict(data[NFTA_DATA_VERDICT]);
    element.verdict =
        Verdict{verdict_code(static_cast<std::int32_t>(verdict.be32(NFTA_VERDICT_CODE))),
                verdict.text(NFTA_VERDICT_CHAIN)};
  }
  element.timeout = std::chrono::milliseconds(attributes.be64(NFTA_SET_ELEM_TIMEOUT));
  element.interval_end = (attributes.be32(NFTA_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END) != 0;
  element.comment = comment_of(attributes.bytes(NFTA_SET_ELEM_USERDATA));
  return element;
}

} // namespace

Ack ack_from(const nlmsghdr *message) {
  const auto *error = static_cast<const nlmsgerr *>(mnl_nlmsg_get_payload(message));
  Ack ack{.sequence = error->msg.nlmsg_seq, .error = -error->error};
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
    return ack;
  std::size_t skip = sizeof(nlmsgerr);
  if ((message->nlmsg_flags & NLM_F_CAPPED) == 0)
    skip += error->msg.nlmsg_len - sizeof(nlmsghdr); // the whole request is quoted
  for_each_attribute(payload_of(message, skip), [&](const nlattr *attribute) {
    if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG)
      ack.text = mnl_attr_get_str(attribute);
    else if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_OFFS)
      ack.attribute_offset = mnl_attr_get_u32(attribute);
    return true;
  });
  return ack;
}

TableInfo table_from(const nlmsghdr *message) {
  const Attributes<NFTA_TABLE_MAX> attributes(message);
  return {.id = {family_of(message), attributes.text(NFTA_TABLE_NAME)},
          .comment = comment_of(attributes.bytes(NFTA_TABLE_USERDATA))};
}

std::optional<Chain> chain_from(const nlmsghdr *message, const TableId &table) {
  const Attributes<NFTA_CHAIN_MAX> attributes(message);
  if (family_of(message) != table.family || attributes.text(NFTA_CHAIN_TABLE) != table.name)
    return std::nullopt;
  Chain chain{.name = attributes.text(NFTA_CHAIN_NAME), .base = {}};
  if (attributes[NFTA_CHAIN_HOOK] != nullptr) {
    const Attributes<NFTA_HOOK_MAX> hook(attributes[NFTA_CHAIN_HOOK]);
    chain.base = BaseChain{.type = chain_type(attributes.text(NFTA_CHAIN_TYPE)),
                           .hook = Hook{static_cast<std::uint8_t>(hook.be32(NFTA_HOOK_HOOKNUM))},
                           .priority = static_cast<int>(hook.be32(NFTA_HOOK_PRIORITY)),
                           .drop_by_default = attributes.be32(NFTA_CHAIN_POLICY) == NF_DROP};
  }
  return chain;
}

std::optional<SetInfo> set_from(const nlmsghdr *message, const TableId &table) {
  const Attributes<NFTA_SET_MAX> attributes(message);
  if (family_of(message) != table.family || attributes.text(NFTA_SET_TABLE) != table.name)
    return std::nullopt;
  const Attributes<NFTA_SET_DESC_MAX> desc(attributes[NFTA_SET_DESC]);
  const bool verdicts = attributes.be32(NFTA_SET_DATA_TYPE) == NFT_DATA_VERDICT;
  return SetInfo{.name = attributes.text(NFTA_SET_NAME),
                 .flags = attributes.be32(NFTA_SET_FLAGS),
                 .key_bytes = attributes.be32(NFTA_SET_KEY_LEN),
                 .data_bytes = verdicts ? 0 : attributes.be32(NFTA_SET_DATA_LEN),
                 .verdicts = verdicts,
                 .size = desc.be32(NFTA_SET_DESC_SIZE)};
}

void elements_from(const nlmsghdr *message, ElementSink &sink) {
  const Attributes<NFTA_SET_ELEM_LIST_MAX> attributes(message);
  if (attributes[NFTA_SET_ELEM_LIST_ELEMENTS] != nullptr)
    for_each_attribute(attributes.bytes(NFTA_SET_ELEM_LIST_ELEMENTS), [&](const nlattr *element) {
      sink.take(element_from(element));
      return true;
    });
}

std::uint32_t generation_from(const nlmsghdr *message) {
  return Attributes<NFTA_GEN_MAX>(message).be32(NFTA_GEN_ID);
}

TableId table_of(const nlmsghdr *message) {
  // In every nf_tables message but that of a generation, attribute 1 is the name of the table.
  static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
                NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1);
  return {family_of(message), Attributes<1>(message).text(1)};
}

} // namespace sluice::kernel::nft::detail
