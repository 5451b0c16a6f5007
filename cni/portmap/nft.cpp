#include "cni/portmap/nft.hpp"

#include "cni/portmap/nft_conditions.hpp"

#include <algorithm>

namespace sluice::cni {

using nft::Expressions;

namespace {

constexpr const char *kTableName = "cni_hostport";
constexpr const char *kPorts = "hostports";
constexpr const char *kHostIpPorts = "hostip_hostports";
constexpr const char *kAllPorts = "hostports_all";
constexpr const char *kMasquerading = "masquerading";
constexpr int kAttempts = 20;

nft::Table table_of(Family family) { return {nft::family_number(family), kTableName}; }

void put_entry_chain(nft::Batch &batch, const nft::Table &table, const char *chain,
                     std::uint32_t hook, const std::vector<NftCondition> &conditions) {
  batch.chain(table, chain, nft::Hook{hook, nft::kDestinationNat});
  batch.flush(table, chain);
  batch.append(table, chain, [&](Expressions &rule) {
    put_conditions(rule, conditions);
    rule.destination_is_local();
    rule.jump(kAllPorts);
  });
}

/// What all containers share. Right whatever was there before.
void put_structure(nft::Batch &batch, const nft::Table &table,
                   const std::vector<NftCondition> &conditions) {
  batch.table(table, "CNI portmap plugin");
  for (const char *chain : {kPorts, kHostIpPorts, kAllPorts})
    batch.chain(table, chain);
  batch.flush(table, kAllPorts);
  for (const char *chain : {kHostIpPorts, kPorts})
    batch.append(table, kAllPorts, [&](Expressions &rule) { rule.jump(chain); });
  put_entry_chain(batch, table, "prerouting", NF_INET_PRE_ROUTING, conditions);
  put_entry_chain(batch, table, "output", NF_INET_LOCAL_OUT, conditions);
  batch.chain(table, kMasquerading, nft::Hook{NF_INET_POST_ROUTING, nft::kSourceNat});
}

void put_mapping(nft::Batch &batch, const nft::Table &table, const PortMapping &mapping,
                 const IpAddress &pod, const nft::RuleNote &note) {
  const auto host_ip = certain_host_ip(mapping);
  batch.insert(
      table, host_ip ? kHostIpPorts : kPorts,
      [&](Expressions &rule) {
        if (host_ip)
          rule.destination(Cidr::host(*host_ip));
        rule.port(static_cast<std::uint8_t>(mapping.protocol), mapping.host.value);
        rule.translate_to(pod, mapping.container.value);
      },
      note);
}

/// Who cannot take the pod's answer as it comes: the pod itself, and 127.0.0.1.
void put_masquerading(nft::Batch &batch, const nft::Table &table, const PortmapConfig &config,
                      const IpAddress &pod, const nft::RuleNote &note) {
  const auto put = [&](const std::optional<IpAddress> &source) {
    batch.insert(
        table, kMasquerading,
        [&](Expressions &rule) {
          if (source)
            rule.source(Cidr::host(*source));
          rule.destination(Cidr::host(pod));
          if (!source)
            rule.is_translated();
          rule.masquerade();
        },
        note);
  };
  if (config.masq_all)
    return put(std::nullopt);
  if (pod.is_v4())
    put(IpAddress::from_v4(0x7f000001));
  put(pod);
}

/// An older rule, or one of the reference plugin, has no network.
bool is_of(const nft::ListedRule &rule, const PortmapOwner &owner) {
  return rule.note.comment == owner.container_id.substr(0, 128) &&
         (rule.note.network.empty() || rule.note.network == owner.network);
}

template <class Predicate>
Outcome<> put_removal(nft::Socket &socket, nft::Batch &batch, const nft::Table &table,
                      Predicate stale) {
  SLUICE_ASSIGN(const auto rules, socket.list(table), "find rules to remove");
  for (const auto &rule : rules)
    if (!rule.note.comment.empty() && stale(rule))
      batch.remove(table, rule.chain, rule.handle);
  return {};
}

/// `fill` looks and plans; when somebody was faster between look and commit, it does so again.
template <class Fill> Outcome<> commit_until_stable(const std::string &doing, Fill fill) {
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), doing);
  for (int attempt = 1;; ++attempt) {
    nft::Batch batch;
    SLUICE_PASS(fill(socket, batch));
    if (batch.empty())
      return {};
    auto done = socket.commit(std::move(batch), doing);
    if (done)
      return {};
    if (done.error().code() != Errc::not_found || attempt == kAttempts)
      return fail(CniError(std::move(done.error())));
  }
}

template <class Predicate> Outcome<> remove_everywhere(const std::string &doing, Predicate stale) {
  for (const auto family : {Family::ipv4, Family::ipv6})
    SLUICE_PASS(commit_until_stable(doing, [&](nft::Socket &socket, nft::Batch &batch) {
      return put_removal(socket, batch, table_of(family), stale);
    }));
  return {};
}

} // namespace

Outcome<> forward_by_nft(const PortmapConfig &config, const PortmapOwner &owner,
                         const InterfaceAddress &pod) {
  const auto family = pod.ip.family();
  const auto table = table_of(family);
  SLUICE_TAKE(const auto conditions, parse_nft_conditions(config.conditions(family), family));
  const nft::RuleNote note = {owner.container_id, owner.network};
  auto mappings = mappings_of(config, family);
  // Inserting at the head turns the order round.
  std::reverse(mappings.begin(), mappings.end());
  return commit_until_stable(
      "map ports to " + pod.ip.str() + " in nft table \"" + kTableName + "\"",
      [&](nft::Socket &socket, nft::Batch &batch) -> Outcome<> {
        put_structure(batch, table, conditions);
        SLUICE_PASS(put_removal(socket, batch, table,
                                [&](const auto &rule) { return is_of(rule, owner); }));
        for (const auto &mapping : mappings)
          put_mapping(batch, table, mapping, pod.ip, note);
        if (config.snat)
          put_masquerading(batch, table, config, pod.ip, note);
        return {};
      });
}

Outcome<> unforward_by_nft(const PortmapOwner &owner) {
  return remove_everywhere("remove the port mappings of container " + owner.container_id,
                           [&](const auto &rule) { return is_of(rule, owner); });
}

Outcome<> check_by_nft(const PortmapConfig &config, const PortmapOwner &owner,
                       const InterfaceAddress &pod) {
  const auto family = pod.ip.family();
  std::map<std::string, std::ptrdiff_t> wanted;
  for (const auto &mapping : mappings_of(config, family))
    ++wanted[certain_host_ip(mapping) ? kHostIpPorts : kPorts];
  if (config.snat)
    wanted[kMasquerading] = family == Family::ipv4 && !config.masq_all ? 2 : 1;
  for (const char *chain : {"prerouting", "output"})
    wanted[chain] = 1;
  wanted[kAllPorts] = 2;
  SLUICE_ASSIGN(auto socket, nft::Socket::open(), "check port mappings");
  SLUICE_ASSIGN(const auto rules, socket.list(table_of(family)), "check port mappings");
  for (const auto &[chain, least] : wanted) {
    const auto found =
        std::count_if(rules.begin(), rules.end(), [&, name = chain](const auto &rule) {
          return rule.chain == name && (rule.note.comment.empty() || is_of(rule, owner));
        });
    if (found < least)
      return fail(Code::check_failed, "chain \"" + chain + "\" of nft table \"" + kTableName +
                                          "\" has " + std::to_string(found) + " of " +
                                          std::to_string(least) + " rules for container " +
                                          owner.container_id + " at " + pod.ip.str());
  }
  return {};
}

Outcome<> collect_by_nft(const std::string &network, const std::set<std::string> &valid) {
  return remove_everywhere("remove stale port mappings of network \"" + network + "\"",
                           [&](const nft::ListedRule &rule) {
                             return rule.note.network == network &&
                                    valid.count(rule.note.comment) == 0;
                           });
}

} // namespace sluice::cni
