#include "cni/spoof_check.hpp"

#include "cni/nft_message.hpp"

#include <algorithm>
#include <array>
#include <net/if.h>

namespace sluice::cni {
namespace {

constexpr std::int32_t kPriority = -300; // NF_BR_PRI_NAT_DST_BRIDGED
constexpr const char *kBaseChain = "PREROUTING";
const nft::Table kTable = {NFPROTO_BRIDGE, "nat"};

/// What the names are made of.
std::string key_of(const Attachment &attachment) {
  return attachment.container_id + "-" + attachment.ifname;
}
constexpr std::string_view kComment = "macspoofchk-";
std::string comment_of(const std::string &key) { return std::string(kComment) + key; }
std::string link_chain(const std::string &key) { return "cni-br-iface-" + key; }
std::string mac_chain(const std::string &key) { return link_chain(key) + "-mac"; }

std::array<std::uint8_t, IFNAMSIZ> padded(const std::string &link) {
  std::array<std::uint8_t, IFNAMSIZ> name{};
  std::copy_n(link.begin(), std::min<std::size_t>(link.size(), IFNAMSIZ - 1), name.begin());
  return name;
}

/// Table and chains, which may exist, and nothing that an earlier life of the attachment left.
void put_empty_chains(const std::string &key, const std::vector<nft::ListedRule> &base_rules,
                      nft::Batch &batch) {
  batch.table(kTable);
  batch.chain(kTable, kBaseChain, nft::Hook{NF_INET_PRE_ROUTING, kPriority, "filter"});
  for (const auto &rule : base_rules)
    if (rule.note.comment == comment_of(key))
      batch.remove(kTable, kBaseChain, rule.handle);
  for (const auto &chain : {link_chain(key), mac_chain(key)}) {
    batch.chain(kTable, chain);
    batch.flush(kTable, chain);
  }
}

/// Chains are made before they are removed: so none is missing, whatever was there.
Result<> remove(nft::Socket &socket, const std::vector<nft::ListedRule> &base_rules,
                const std::string &key) {
  nft::Batch batch;
  put_empty_chains(key, base_rules, batch);
  batch.remove_chain(kTable, link_chain(key));
  batch.remove_chain(kTable, mac_chain(key));
  return socket.commit(std::move(batch), "remove nft chain \"" + link_chain(key) + "\"");
}

bool is_listed(const std::vector<nft::ListedRule> &rules, const std::string &key) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const auto &rule) { return rule.note.comment == comment_of(key); });
}

} // namespace

Outcome<> ensure_spoof_check(const std::string &network, const Attachment &attachment,
                             const std::string &host_link, MacAddress mac) {
  const auto doing = "macspoofchk of \"" + host_link + "\"";
  const auto key = key_of(attachment);
  const nft::RuleNote note{comment_of(key), {}};
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  SLUICE_ASSIGN(const auto before, socket.list(kTable, kBaseChain), doing);
  nft::Batch batch;
  put_empty_chains(key, before, batch);
  const auto own_mac = [&](nft::Expressions &rule) {
    rule.source_mac(mac.bytes());
    rule.leave_chain();
  };
  batch.append(kTable, mac_chain(key), own_mac, note);
  batch.append(
      kTable, mac_chain(key), [](nft::Expressions &rule) { rule.drop(); }, note);
  const auto to_mac_chain = [&](nft::Expressions &rule) { rule.jump(mac_chain(key)); };
  batch.append(kTable, link_chain(key), to_mac_chain, note);
  const auto from_link = [&](nft::Expressions &rule) {
    rule.meta_is(NFT_META_IIFNAME, padded(host_link));
    rule.jump(link_chain(key));
  };
  batch.append(kTable, kBaseChain, from_link, {note.comment, network});
  SLUICE_TRY(socket.commit(std::move(batch), doing), "add a pod");
  return {};
}

Outcome<bool> has_spoof_check(const Attachment &attachment) {
  const auto key = key_of(attachment);
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), "macspoofchk");
  SLUICE_ASSIGN(const auto rules, socket.list(kTable), "macspoofchk");
  const auto count = [&](const std::string &chain) {
    return std::count_if(rules.begin(), rules.end(), [&](const auto &rule) {
      return rule.chain == chain && rule.note.comment == comment_of(key);
    });
  };
  return count(kBaseChain) == 1 && count(link_chain(key)) == 1 && count(mac_chain(key)) == 2;
}

Outcome<> remove_spoof_check(const Attachment &attachment) {
  const auto doing = "remove macspoofchk of container \"" + attachment.container_id + "\"";
  const auto key = key_of(attachment);
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  SLUICE_ASSIGN(const auto rules, socket.list(kTable, kBaseChain), doing);
  if (is_listed(rules, key))
    SLUICE_TRY(remove(socket, rules, key), doing);
  return {};
}

Outcome<> remove_stale_spoof_checks(const std::string &network, const std::set<Attachment> &valid) {
  const auto doing = "collect macspoofchk of network \"" + network + "\"";
  std::set<std::string> keep;
  for (const auto &attachment : valid)
    keep.insert(comment_of(key_of(attachment)));
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  SLUICE_ASSIGN(const auto rules, socket.list(kTable, kBaseChain), doing);
  for (const auto &rule : rules)
    if (rule.note.network == network && rule.note.comment.starts_with(kComment) &&
        keep.count(rule.note.comment) == 0)
      SLUICE_TRY(remove(socket, rules, rule.note.comment.substr(kComment.size())), doing);
  return {};
}

} // namespace sluice::cni
