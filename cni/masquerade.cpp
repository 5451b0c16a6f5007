#include "cni/masquerade.hpp"

#include "cni/nft_message.hpp"

namespace sluice::cni {
namespace {

const nft::Table kTable = {NFPROTO_INET, kMasqueradeTable};

void masquerade_outside(nft::Expressions &rule, const Cidr &pods) {
  const auto family = nft::family_number(pods.family());
  const auto multicast =
      Cidr::parse(pods.family() == Family::ipv4 ? "224.0.0.0/4" : "ff00::/8").value();
  rule.meta_is(NFT_META_NFPROTO, {&family, 1});
  rule.source(pods);
  rule.destination(pods, false);
  rule.destination(multicast, false);
  rule.masquerade();
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
  const auto doing = "read masquerade of " + pods.str();
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  SLUICE_ASSIGN(const auto rules, socket.list(kTable, masquerade_chain(pods)), doing);
  return !rules.empty();
}

Outcome<> ensure_masquerade(const std::vector<Cidr> &networks) {
  const auto doing = "masquerade in nft table \"inet " + std::string(kMasqueradeTable) + "\"";
  std::vector<std::string> chains;
  for (const auto &pods : networks)
    chains.push_back(masquerade_chain(pods));
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  SLUICE_ASSIGN(const auto rules, socket.count_rules(kTable, chains), doing);
  // Table, chain, the chain emptied, its rule: right whatever was there before.
  nft::Batch batch;
  batch.table(kTable);
  bool missing = false;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    if (rules[i] > 0)
      continue;
    missing = true;
    batch.chain(kTable, chains[i], nft::Hook{NF_INET_POST_ROUTING, nft::kSourceNat});
    batch.flush(kTable, chains[i]);
    batch.append(kTable, chains[i],
                 [&](nft::Expressions &rule) { masquerade_outside(rule, networks[i]); });
  }
  if (missing)
    SLUICE_TRY(socket.commit(std::move(batch), doing), "add a network");
  return {};
}

} // namespace sluice::cni
