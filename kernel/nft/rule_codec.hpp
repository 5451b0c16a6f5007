#pragma once
// Rules to and from libnftnl, inside this library only.

#include "kernel/nft/nft.hpp"

#include <memory>

struct nftnl_rule;
struct nlmsghdr;

namespace sluice::kernel::nft::detail {

struct FreeRule {
  void operator()(nftnl_rule *rule) const noexcept;
};
using RulePtr = std::unique_ptr<nftnl_rule, FreeRule>;

RulePtr to_libnftnl(const TableId &table, const Rule &rule);
/// The instructions in one line.
std::string text_of(const nftnl_rule *rule);
/// From a NFT_MSG_NEWRULE message; nothing if it cannot be parsed or is of another table.
std::optional<RuleInfo> rule_from(const nlmsghdr *message, const TableId &table);

/// User data holds a comment as nft(8) writes it: type 0, length with the zero, text.
std::vector<std::uint8_t> comment_userdata(std::string_view comment);
std::string comment_of(std::span<const std::uint8_t> userdata);

} // namespace sluice::kernel::nft::detail
