#include "cni/legacy_masquerade.hpp"

#include "cni/iptables.hpp"
#include "cni/nft_message.hpp"
#include "net/sha512.hpp"

namespace sluice::cni {
namespace {

const nft::Table kTable = {NFPROTO_INET, "cni_plugins_masquerade"};
constexpr const char *kChain = "masq_checks";
constexpr std::size_t kHash = 16;
constexpr int kAttempts = 20;

std::string hash_of(const std::string &text) { return sha512_hex(text).substr(0, kHash); }

template <class Predicate> Outcome<> remove_nft_rules(const std::string &doing, Predicate stale) {
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  for (int attempt = 1;; ++attempt) {
    SLUICE_ASSIGN(const auto rules, socket.list(kTable, kChain), doing);
    nft::Batch batch;
    for (const auto &rule : rules)
      if (stale(rule.note.comment))
        batch.remove(kTable, rule.chain, rule.handle);
    if (batch.empty())
      return {};
    auto done = socket.commit(std::move(batch), doing);
    if (done)
      return {};
    // Another plugin has removed one of them meanwhile.
    if (done.error().code() != Errc::not_found || attempt == kAttempts)
      return fail(CniError(std::move(done.error())));
  }
}

} // namespace

std::string legacy_masquerade_mark(const std::string &network, const Attachment &attachment) {
  return hash_of(network) + "-" + hash_of(attachment.ifname + ":" + attachment.container_id);
}

Outcome<> remove_legacy_masquerade(const std::string &network, const Attachment &attachment) {
  const auto doing = "remove the per-pod masquerade of container " + attachment.container_id;
  const auto mark = legacy_masquerade_mark(network, attachment);
  SLUICE_PASS(remove_nft_rules(
      doing, [&](const std::string &comment) { return comment.starts_with(mark); }));
  return remove_nat_chains({reference_chain("", network, attachment.container_id)}, doing);
}

Outcome<> collect_legacy_masquerade(const std::string &network, const std::set<Attachment> &valid) {
  const auto doing = "remove stale per-pod masquerade of network \"" + network + "\"";
  std::set<std::string> marks, containers;
  for (const auto &attachment : valid) {
    marks.insert(legacy_masquerade_mark(network, attachment));
    containers.insert(attachment.container_id);
  }
  const auto of_network = hash_of(network) + "-";
  SLUICE_PASS(remove_nft_rules(doing, [&](const std::string &comment) {
    return comment.starts_with(of_network) &&
           marks.count(comment.substr(0, of_network.size() + kHash)) == 0;
  }));
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto kind :
         has_iptables() ? kinds_with_chain(family, {"POSTROUTING"}) : std::vector<Iptables>{})
      SLUICE_PASS(change_nat(family, kind, doing, [&](const NatTable &table) {
        std::set<std::string> stale;
        for (const auto &rule : table.rules)
          if (const auto id = container_in(rule, network);
              id && chain_of(rule) == "POSTROUTING" && containers.count(*id) == 0 &&
              target_of(rule) == reference_chain("", network, *id))
            stale.insert(target_of(rule));
        return removal_of(table, stale);
      }));
  return {};
}

} // namespace sluice::cni
