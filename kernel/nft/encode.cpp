#include "kernel/nft/encode.hpp"
#include "kernel/nft/attributes.hpp"
#include "kernel/nft/rule_codec.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstring>

namespace sluice::kernel::nft::detail {
namespace {

// An attribute's length is 16 bits: a list of elements is cut before it reaches that.
constexpr std::size_t kElementListBytes = 60000;
// Room that one message may need: a full list of elements, or a rule.
constexpr std::size_t kMessageBytes = 128 * 1024;

std::uint16_t create_flags(Verb verb) {
  switch (verb) {
  case Verb::add:
    return NLM_F_CREATE;
  case Verb::create:
    return NLM_F_CREATE | NLM_F_EXCL;
  default:
    return 0;
  }
}

void put_text(nlmsghdr *header, std::uint16_t type, const std::string &text) {
  mnl_attr_put_strz(header, type, text.c_str());
}

void put_be32(nlmsghdr *header, std::uint16_t type, std::uint32_t value) {
  mnl_attr_put_u32(header, type, htonl(value));
}

void put_be64(nlmsghdr *header, std::uint16_t type, std::uint64_t value) {
  mnl_attr_put_u64(header, type, htobe64(value));
}

void put_userdata(nlmsghdr *header, std::uint16_t type, std::span<const std::uint8_t> data) {
  if (!data.empty())
    mnl_attr_put(header, type, data.size(), data.data());
}

/// nft numbers a concatenation by 6 bits for each field.
std::uint32_t type_number(const std::vector<Type> &fields) {
  std::uint32_t number = 0;
  for (const auto field : fields)
    number = number << 6 | static_cast<std::uint32_t>(field);
  return number;
}

/// nft's enum byteorder, for the user data that `nft list` reads: 1 host, 2 network.
std::uint32_t byte_order(const std::vector<Type> &fields) {
  const bool host = fields.size() == 1 && (fields[0] == Type::mark || fields[0] == Type::ifname);
  return fields.size() > 1 ? 0 : host ? 1 : 2;
}

void append_u32(std::vector<std::uint8_t> &userdata, std::uint8_t type, std::uint32_t value) {
  userdata.push_back(type);
  userdata.push_back(sizeof value);
  const auto *bytes = reinterpret_cast<const std::uint8_t *>(&value);
  userdata.insert(userdata.end(), bytes, bytes + sizeof value);
}

std::vector<std::uint8_t> set_userdata(const Set &set) {
  std::vector<std::uint8_t> userdata;
  append_u32(userdata, 0, byte_order(set.key)); // NFTNL_UDATA_SET_KEYBYTEORDER
  if (!set.data.empty())
    append_u32(userdata, 1, byte_order(set.data)); // NFTNL_UDATA_SET_DATABYTEORDER
  return userdata;
}

void put_value(nlmsghdr *header, std::uint16_t type, const Value &value) {
  auto *nest = mnl_attr_nest_start(header, type);
  mnl_attr_put(header, NFTA_DATA_VALUE, value.size(), value.bytes().data());
  mnl_attr_nest_end(header, nest);
}

std::uint32_t verdict_number(VerdictCode code) {
  switch (code) {
  case VerdictCode::accept:
    return 1;
  case VerdictCode::drop:
    return 0;
  case VerdictCode::jump:
    return static_cast<std::uint32_t>(NFT_JUMP);
  case VerdictCode::go_to:
    return static_cast<std::uint32_t>(NFT_GOTO);
  case VerdictCode::return_:
    return static_cast<std::uint32_t>(NFT_RETURN);
  case VerdictCode::continue_:
    return static_cast<std::uint32_t>(NFT_CONTINUE);
  }
  return 0;
}

void put_verdict(nlmsghdr *header, std::uint16_t type, const Verdict &verdict) {
  auto *nest = mnl_attr_nest_start(header, type);
  auto *inner = mnl_attr_nest_start(header, NFTA_DATA_VERDICT);
  put_be32(header, NFTA_VERDICT_CODE, verdict_number(verdict.code));
  if (!verdict.chain.empty())
    put_text(header, NFTA_VERDICT_CHAIN, verdict.chain);
  mnl_attr_nest_end(header, inner);
  mnl_attr_nest_end(header, nest);
}

void put_element(nlmsghdr *header, Verb verb, const Element &element) {
  auto *nest = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
  if (element.interval_end)
    put_be32(header, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  put_value(header, NFTA_SET_ELEM_KEY, element.key);
  if (verb != Verb::remove) {
    if (element.verdict)
      put_verdict(header, NFTA_SET_ELEM_DATA, *element.verdict);
    else if (!element.data.empty())
      put_value(header, NFTA_SET_ELEM_DATA, element.data);
    if (element.timeout.count() > 0)
      put_be64(header, NFTA_SET_ELEM_TIMEOUT, static_cast<std::uint64_t>(element.timeout.count()));
    if (!element.comment.empty())
      put_userdata(header, NFTA_SET_ELEM_USERDATA, comment_userdata(element.comment));
  }
  mnl_attr_nest_end(header, nest);
}

} // namespace

Encoded::Encoded(const Batch &batch, std::uint32_t sequence,
                 std::optional<std::uint32_t> generation)
    : table_(batch.table()), first_sequence_(sequence), next_sequence_(sequence) {
  make_room(batch.bytes_estimate() + 2 * kMessageBytes);
  auto *header = begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  if (generation)
    put_be32(header, NFNL_BATCH_GENID, *generation);
  end(header);
  for (const auto &op : batch.ops()) {
    std::visit([&](const auto &object) { encode(op.verb, object); }, op.object);
    ++now_.op;
    now_.first_element = 0;
  }
  if (!origins_.empty()) // only the last one: if it is answered, all of them were heard
    reinterpret_cast<nlmsghdr *>(buffer_.get() + last_message_)->nlmsg_flags |= NLM_F_ACK;
  end(begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

void Encoded::make_room(std::size_t bytes) {
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);
  if (used_ > 0)
    std::memcpy(larger.get(), buffer_.get(), used_);
  buffer_ = std::move(larger);
  room_ = bytes;
}

nlmsghdr *Encoded::begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                         std::uint16_t resource) {
  if (room_ < used_ + kMessageBytes)
    make_room(std::max(2 * room_, used_ + kMessageBytes));
  auto *header = mnl_nlmsg_put_header(buffer_.get() + used_);
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header->nlmsg_seq = next_sequence_++;
  auto *body = static_cast<nfgenmsg *>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  body->nfgen_family = family;
  body->version = NFNETLINK_V0;
  body->res_id = htons(resource);
  return header;
}

nlmsghdr *Encoded::begin_op(std::uint16_t message, std::uint16_t flags) {
  now_.offset_bytes = used_;
  origins_.push_back(now_);
  last_message_ = used_;
  return begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message), flags,
               static_cast<std::uint8_t>(table_.family), 0);
}

void Encoded::end(nlmsghdr *header) { used_ += MNL_ALIGN(header->nlmsg_len); }

void Encoded::encode(Verb verb, const TableOp &op) {
  auto *header =
      begin_op(verb == Verb::remove ? NFT_MSG_DELTABLE : NFT_MSG_NEWTABLE, create_flags(verb));
  put_text(header, NFTA_TABLE_NAME, table_.name);
  if (verb != Verb::remove) {
    put_be32(header, NFTA_TABLE_FLAGS, 0);
    put_userdata(header, NFTA_TABLE_USERDATA, comment_userdata(op.comment));
  }
  end(header);
}

void Encoded::encode(Verb verb, const Chain &chain) {
  auto *header =
      begin_op(verb == Verb::remove ? NFT_MSG_DELCHAIN : NFT_MSG_NEWCHAIN, create_flags(verb));
  put_text(header, NFTA_CHAIN_TABLE, table_.name);
  put_text(header, NFTA_CHAIN_NAME, chain.name);
  if (chain.base && verb != Verb::remove) {
    auto *hook = mnl_attr_nest_start(header, NFTA_CHAIN_HOOK);
    put_be32(header, NFTA_HOOK_HOOKNUM, static_cast<std::uint32_t>(chain.base->hook));
    put_be32(header, NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(chain.base->priority));
    mnl_attr_nest_end(header, hook);
    put_be32(header, NFTA_CHAIN_POLICY, chain.base->drop_by_default ? 0 : 1);
    put_text(header, NFTA_CHAIN_TYPE, std::string(name_of(chain.base->type)));
  }
  end(header);
}

void Encoded::encode(Verb verb, const Set &set) {
  auto *header =
      begin_op(verb == Verb::remove ? NFT_MSG_DELSET : NFT_MSG_NEWSET, create_flags(verb));
  put_text(header, NFTA_SET_TABLE, table_.name);
  put_text(header, NFTA_SET_NAME, set.name);
  if (verb != Verb::remove) {
    put_be32(header, NFTA_SET_FLAGS, info_of(set).flags);
    put_be32(header, NFTA_SET_KEY_TYPE, type_number(set.key));
    put_be32(header, NFTA_SET_KEY_LEN, static_cast<std::uint32_t>(set.key_bytes()));
    if (set.verdicts) {
      put_be32(header, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
      put_be32(header, NFTA_SET_DATA_LEN, 16); // the kernel's struct nft_verdict
    } else if (!set.data.empty()) {
      put_be32(header, NFTA_SET_DATA_TYPE, type_number(set.data));
      put_be32(header, NFTA_SET_DATA_LEN, static_cast<std::uint32_t>(set.data_bytes()));
    }
    put_be32(header, NFTA_SET_ID, next_set_id_++);
    if (const auto size = info_of(set).size; size > 0) {
      auto *desc = mnl_attr_nest_start(header, NFTA_SET_DESC);
      put_be32(header, NFTA_SET_DESC_SIZE, size);
      mnl_attr_nest_end(header, desc);
    }
    if (set.default_timeout.count() > 0)
      put_be64(header, NFTA_SET_TIMEOUT, static_cast<std::uint64_t>(set.default_timeout.count()));
    if (set.gc_interval.count() > 0)
      put_be32(header, NFTA_SET_GC_INTERVAL, static_cast<std::uint32_t>(set.gc_interval.count()));
    put_userdata(header, NFTA_SET_USERDATA, set_userdata(set));
  }
  end(header);
}

void Encoded::encode(Verb verb, const ElementsOp &op) {
  for (std::size_t next = 0; next < op.elements.size();) {
    now_.first_element = next;
    auto *header = begin_op(verb == Verb::remove ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
                            create_flags(verb));
    put_text(header, NFTA_SET_ELEM_LIST_TABLE, table_.name);
    put_text(header, NFTA_SET_ELEM_LIST_SET, op.set);
    auto *list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    const auto limit = header->nlmsg_len + kElementListBytes;
    while (next < op.elements.size() && header->nlmsg_len < limit)
      put_element(header, verb, op.elements[next++]);
    mnl_attr_nest_end(header, list);
    end(header);
  }
}

void Encoded::encode(Verb, const Rule &rule) {
  auto *header = begin_op(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  nftnl_rule_nlmsg_build_payload(header, to_libnftnl(table_, rule).get());
  end(header);
}

void Encoded::encode(Verb, const RuleHandle &rule) {
  auto *header = begin_op(NFT_MSG_DELRULE, 0);
  put_text(header, NFTA_RULE_TABLE, table_.name);
  put_text(header, NFTA_RULE_CHAIN, rule.chain);
  put_be64(header, NFTA_RULE_HANDLE, rule.handle);
  end(header);
}

void Encoded::encode(Verb, const FlushSet &flush) {
  auto *header = begin_op(NFT_MSG_DELSETELEM, 0);
  put_text(header, NFTA_SET_ELEM_LIST_TABLE, table_.name);
  put_text(header, NFTA_SET_ELEM_LIST_SET, flush.set);
  end(header);
}

void Encoded::encode(Verb, const FlushChain &flush) {
  auto *header = begin_op(NFT_MSG_DELRULE, 0);
  put_text(header, NFTA_RULE_TABLE, table_.name);
  if (!flush.chain.empty())
    put_text(header, NFTA_RULE_CHAIN, flush.chain);
  end(header);
}

std::optional<Origin> Encoded::origin(std::uint32_t sequence,
                                      std::uint32_t attribute_offset) const {
  const auto index = sequence - first_sequence_ - 1; // BATCH_BEGIN has the first number
  if (index >= origins_.size())
    return std::nullopt;
  auto origin = origins_[index];
  const auto *header = reinterpret_cast<const nlmsghdr *>(buffer_.get() + origin.offset_bytes);
  const auto kind = header->nlmsg_type & 0xff;
  if (attribute_offset == 0 || (kind != NFT_MSG_NEWSETELEM && kind != NFT_MSG_DELSETELEM))
    return origin;
  const auto *bad = reinterpret_cast<const std::uint8_t *>(header) + attribute_offset;
  for_each_attribute(payload_of(header, sizeof(nfgenmsg)), [&](const nlattr *list) {
    if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
      return true;
    for_each_attribute(payload_of(list), [&](const nlattr *element) {
      if (bad < reinterpret_cast<const std::uint8_t *>(element) + mnl_attr_get_len(element))
        return false;
      ++origin.first_element;
      return true;
    });
    return false;
  });
  return origin;
}

} // namespace sluice::kernel::nft::detail
