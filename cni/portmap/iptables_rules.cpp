#include "cni/portmap/iptables_rules.hpp"

#include "cni/iptables.hpp"

#include <algorithm>
#include <map>

namespace sluice::cni {
namespace {

constexpr const char *kDnat = "CNI-HOSTPORT-DNAT";
constexpr const char *kSetMark = "CNI-HOSTPORT-SETMARK";
constexpr const char *kMasquerade = "CNI-HOSTPORT-MASQ";
constexpr std::size_t kPortsInARule = 15; // XT_MULTI_PORTS
constexpr std::size_t kComment = 255;     // XT_MAX_COMMENT_LEN - 1

std::string iptables_name(Protocol protocol) {
  switch (protocol) {
  case Protocol::tcp:
    return "tcp";
  case Protocol::udp:
    return "udp";
  case Protocol::sctp:
    break;
  }
  return "sctp";
}

/// One word for iptables-restore, whatever is in it.
std::string quoted(std::string_view word) {
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text + '"';
}

std::string comment_of(const PortmapOwner &owner) {
  auto text = "dnat name: \"" + owner.network + "\" id: \"" + owner.container_id + "\"";
  if (text.size() > kComment)
    text = text.substr(0, kComment - 3) + "...";
  return quoted(text);
}

std::string mark_of(const PortmapConfig &config) {
  static constexpr const char *kDigits = "1248";
  const auto bit = config.mark_bit;
  const auto value = "0x" + std::string(1, kDigits[bit % 4]) + std::string(bit / 4, '0');
  return value + "/" + value;
}

/// A rule that leads to the container's chain, split where the conditions stand.
struct Entry {
  std::string match, jump;
};

/// The reference plugin lists the ports of every mapping here, also of those that are for the other
/// family: the container's chain decides.
std::vector<Entry> entries_of(const PortmapConfig &config, const PortmapOwner &owner) {
  std::map<std::string, std::vector<std::string>> ports;
  for (const auto &mapping : config.mappings) {
    auto &lists = ports[iptables_name(mapping.protocol)];
    const auto full = [](const std::string &list) {
      return static_cast<std::size_t>(std::count(list.begin(), list.end(), ',')) + 1 ==
             kPortsInARule;
    };
    if (lists.empty() || full(lists.back()))
      lists.emplace_back();
    lists.back() += (lists.back().empty() ? "" : ",") + std::to_string(mapping.host.value);
  }
  std::vector<Entry> entries;
  for (const auto &[protocol, lists] : ports)
    for (const auto &list : lists)
      entries.push_back({"-p " + protocol + " -m comment --comment " + comment_of(owner) +
                             " -m multiport --dports " + list + " ",
                         "-j " + dnat_chain(owner)});
  return entries;
}

/// The container's chain, as iptables-save prints it.
std::vector<std::string> dnat_rules(const PortmapConfig &config, const PortmapOwner &owner,
                                    const InterfaceAddress &pod) {
  const auto mark =
      " -j " + (config.external_set_mark_chain.empty() ? std::string(kSetMark)
                                                       : config.external_set_mark_chain);
  std::vector<std::string> rules;
  for (const auto &mapping : mappings_of(config, pod.ip.family())) {
    const auto protocol = iptables_name(mapping.protocol);
    const auto host_ip = certain_host_ip(mapping);
    const auto to_port = (host_ip ? " -d " + Cidr::host(*host_ip).str() : "") + " -p " + protocol +
                         " -m " + protocol + " --dport " + std::to_string(mapping.host.value);
    const auto start = "-A " + dnat_chain(owner);
    if (config.snat) {
      rules.push_back(start + (config.masq_all ? "" : " -s " + pod.network().str()) + to_port +
                      mark);
      if (pod.ip.is_v4() && !config.masq_all)
        rules.push_back(start + " -s 127.0.0.1/32" + to_port + mark);
    }
    rules.push_back(start + to_port + " -j DNAT --to-destination " +
                    SocketAddress{pod.ip, mapping.container}.str());
  }
  return rules;
}

/// What all containers share.
struct SharedRule {
  std::string chain, start, rule;
  std::string sign; ///< of a rule that does this already, however it is written
};

std::vector<SharedRule> shared_rules(const PortmapConfig &config) {
  std::vector<SharedRule> rules;
  for (const char *from : {"PREROUTING", "OUTPUT"})
    rules.push_back({from, "-A ", " -m addrtype --dst-type LOCAL -j " + std::string(kDnat),
                     "-j " + std::string(kDnat)});
  if (!config.snat || !config.external_set_mark_chain.empty())
    return rules;
  const auto mark = mark_of(config);
  rules.push_back(
      {kSetMark, "-A ",
       " -m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark " + mark,
       "--set-xmark " + mark});
  rules.push_back(
      {kMasquerade, "-A ", " -m mark --mark " + mark + " -j MASQUERADE", "--mark " + mark});
  rules.push_back(
      {"POSTROUTING", "-I ",
       " -m comment --comment \"CNI portfwd requiring masquerade\" -j " + std::string(kMasquerade),
       "-j " + std::string(kMasquerade)});
  return rules;
}

/// `part` is followed by a blank or by the end: "0x1" is not in "0x10".
bool has_words(const std::string &rule, const std::string &part) {
  const auto at = rule.find(" " + part);
  const auto end = at + 1 + part.size();
  return at != std::string::npos && (end == rule.size() || rule[end] == ' ' || part.back() == ' ');
}

bool has_rule_like(const NatTable &table, const std::string &chain, const std::string &part,
                   const std::string &other_part = "-A") {
  return std::any_of(table.rules.begin(), table.rules.end(), [&](const std::string &rule) {
    return chain_of(rule) == chain && has_words(rule, part) &&
           (other_part == "-A" || has_words(rule, other_part));
  });
}

bool has_shared(const NatTable &table, const SharedRule &rule) {
  return has_rule_like(table, rule.chain, rule.sign);
}

bool is_builtin(const std::string &chain) { return !chain.starts_with("CNI-"); }

void plan_shared(const NatTable &table, const PortmapConfig &config,
                 std::vector<std::string> &commands) {
  const auto rules = shared_rules(config);
  std::set<std::string> chains = {kDnat};
  for (const auto &rule : rules)
    if (!is_builtin(rule.chain))
      chains.insert(rule.chain);
  // Where the chain is there meanwhile -N fails or does nothing; ":CHAIN" would empty it.
  for (const auto &chain : chains)
    if (!table.has_chain(chain))
      commands.push_back("-N " + chain);
  for (const auto &rule : rules)
    if (!has_shared(table, rule))
      commands.push_back(rule.start + rule.chain + rule.rule);
}

} // namespace

std::string dnat_chain(const PortmapOwner &owner) {
  return reference_chain("DN-", owner.network, owner.container_id);
}

std::set<std::string> chains_of(const PortmapOwner &owner) {
  return {dnat_chain(owner), reference_chain("SN-", owner.network, owner.container_id)};
}

std::vector<std::string> plan_forwarding(const NatTable &table, const PortmapConfig &config,
                                         const PortmapOwner &owner, const InterfaceAddress &pod) {
  const auto chain = dnat_chain(owner);
  std::vector<std::string> commands = {":" + chain + " - [0:0]"};
  plan_shared(table, config, commands);
  for (const auto &rule : table.rules)
    if (chain_of(rule) != chain && target_of(rule) == chain)
      commands.push_back("-D" + rule.substr(2));
  for (auto &rule : dnat_rules(config, owner, pod))
    commands.push_back(std::move(rule));
  std::string conditions;
  for (const auto &word : config.conditions(pod.ip.family()))
    conditions += quoted(word) + " ";
  int position = 0;
  for (const auto &entry : entries_of(config, owner))
    commands.push_back("-I " + std::string(kDnat) + " " + std::to_string(++position) + " " +
                       entry.match + conditions + entry.jump);
  return commands;
}

std::optional<std::string> missing_rule(const NatTable &table, const PortmapConfig &config,
                                        const PortmapOwner &owner, const InterfaceAddress &pod) {
  for (const auto &rule : shared_rules(config))
    if (!has_shared(table, rule))
      return "-A " + rule.chain + rule.rule;
  for (const auto &entry : entries_of(config, owner)) {
    const auto ports = entry.match.substr(entry.match.find("--dports "));
    if (!has_rule_like(table, kDnat, ports, entry.jump))
      return "-A " + std::string(kDnat) + " " + entry.match + entry.jump;
  }
  for (const auto &rule : dnat_rules(config, owner, pod))
    if (!table.has_rule(rule))
      return rule;
  return std::nullopt;
}

std::set<std::string> stale_chains(const NatTable &table, const std::string &network,
                                   const std::set<std::string> &valid) {
  std::set<std::string> stale;
  for (const auto &rule : table.rules) {
    const auto id = container_in(rule, network);
    if (!id || valid.count(*id) > 0)
      continue;
    const auto chains = chains_of({network, *id});
    if (chains.count(target_of(rule)) > 0)
      stale.insert(chains.begin(), chains.end());
  }
  return stale;
}

} // namespace sluice::cni
