#include "proxy/leftovers.hpp"

#include "kernel/ipvs/ipvs.hpp"
#include "kernel/rtnl.hpp"

namespace sluice::proxy::leftovers {
namespace {

using kernel::iptables::Flavour;

constexpr std::string_view kChains[] = {"KUBE-SERVICES",
                                        "KUBE-EXTERNAL-SERVICES",
                                        "KUBE-NODEPORTS",
                                        "KUBE-POSTROUTING",
                                        "KUBE-MARK-MASQ",
                                        "KUBE-FORWARD",
                                        "KUBE-PROXY-CANARY",
                                        "KUBE-PROXY-FIREWALL",
                                        "KUBE-NODE-PORT",
                                        "KUBE-LOAD-BALANCER",
                                        "KUBE-SOURCE-RANGES-FIREWALL",
                                        "KUBE-IPVS-FILTER",
                                        "KUBE-IPVS-OUT-FILTER"};
constexpr std::string_view kPrefixes[] = {"KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-",
                                          "KUBE-FW-",  "KUBE-SEP-", "KUBE-XLB-"};
constexpr const char *kIpvsLink = "kube-ipvs0";

struct RuleLine {
  std::string chain, rule, target;
};

struct TableText {
  std::set<std::string> chains, built_in;
  std::vector<RuleLine> rules;
};

/// What comes behind "-j" or "-g".
std::string target_of(std::string_view rule) {
  for (const std::string_view option : {"-j ", "-g "}) {
    auto at = rule.rfind(option);
    if (at == std::string_view::npos || (at > 0 && rule[at - 1] != ' '))
      continue;
    const auto rest = rule.substr(at + option.size());
    return std::string(rest.substr(0, rest.find(' ')));
  }
  return "";
}

/// Of what may be many thousands of rules, those that lead to kube-proxy's chains.
std::map<std::string, TableText> tables_of(std::string_view saved) {
  std::map<std::string, TableText> tables;
  kernel::iptables::Visitor visitor;
  visitor.chain = [&](std::string_view table, std::string_view chain, std::string_view policy) {
    auto &text = tables[std::string(table)];
    (policy == "-" ? text.chains : text.built_in).emplace(chain);
  };
  visitor.rule = [&](std::string_view table, std::string_view chain, std::string_view rule) {
    if (auto target = target_of(rule); is_kube_proxy_chain(target))
      tables[std::string(table)].rules.push_back(
          {std::string(chain), std::string(rule), std::move(target)});
  };
  (void)kernel::iptables::visit(saved, visitor); // what is no line of its kind is not kube-proxy's
  return tables;
}

/// KUBE-POSTROUTING does the masquerading that KUBE-MARK-MASQ asks for.
void keep(const TableText &table, const std::string &chain, std::set<std::string> &kept) {
  if (table.chains.count(chain) == 0 || !kept.insert(chain).second)
    return;
  if (chain == "KUBE-MARK-MASQ")
    keep(table, "KUBE-POSTROUTING", kept);
  for (const auto &rule : table.rules)
    if (rule.chain == chain && is_kube_proxy_chain(rule.target))
      keep(table, rule.target, kept);
}

/// Chains of kube-proxy that rules of others need.
std::set<std::string> kept_chains(const TableText &table) {
  std::set<std::string> kept;
  for (const auto &rule : table.rules)
    if (table.built_in.count(rule.chain) == 0 && !is_kube_proxy_chain(rule.chain) &&
        is_kube_proxy_chain(rule.target))
      keep(table, rule.target, kept);
  return kept;
}

std::string plan_table(const std::string &name, const TableText &table) {
  const auto kept = kept_chains(table);
  const auto goes = [&](const std::string &chain) {
    return is_kube_proxy_chain(chain) && kept.count(chain) == 0;
  };
  std::string flush, jumps, chains;
  for (const auto &chain : table.chains)
    if (goes(chain)) {
      flush += ":" + chain + " - [0:0]\n";
      chains += "-X " + chain + "\n";
    }
  for (const auto &rule : table.rules)
    if (table.built_in.count(rule.chain) > 0 && goes(rule.target))
      jumps += "-D " + rule.chain + " " + rule.rule + "\n";
  if (flush.empty() && jumps.empty())
    return "";
  return "*" + name + "\n" + flush + jumps + chains + "COMMIT\n";
}

void note(Removed &removed, const std::string &what, Result<> done) {
  if (done)
    removed.what.push_back(what);
  else
    removed.errors.push_back(std::move(done.error()).in("remove " + what));
}

void remove_iptables_of(Family family, Flavour flavour, Removed &removed) {
  const auto what = "kube-proxy's iptables rules (" + std::string(name_of(flavour)) + ", " +
                    std::string(name_of(family)) + ")";
  const auto tool = kernel::iptables::open_tool({.family = family, .flavour = flavour});
  if (!tool)
    return; // programs that are not there have left nothing
  auto saved = (*tool)->save("");
  if (!saved) {
    removed.errors.push_back(std::move(saved.error()).in("look for " + what));
    return;
  }
  if (const auto text = plan_iptables(*saved); !text.empty())
    note(removed, what, (*tool)->restore(text));
}

/// Those for an address of this machine (`kube-ipvs0` has the clusterIPs, the others nodePorts).
/// How many there were. A kernel without IPVS has none.
Result<std::size_t> remove_ipvs_services(kernel::RtnlSocket &rtnl) {
  SLUICE_ASSIGN(const auto addresses, rtnl.read_addresses(), "read addresses");
  std::set<IpAddress> ours;
  for (const auto &one : addresses)
    ours.insert(one.address.ip);
  auto ipvs = kernel::ipvs::IpvsSocket::open();
  if (!ipvs && ipvs.error().code() == Errc::unsupported)
    return 0;
  if (!ipvs)
    return fail(std::move(ipvs.error()));
  SLUICE_ASSIGN(const auto services, ipvs->read_services(), "read virtual services");
  std::vector<kernel::ipvs::Op> ops;
  for (const auto &info : services)
    if (const auto *id = std::get_if<kernel::ipvs::AddressId>(&info.service.id);
        id && ours.count(id->address.ip) > 0)
      ops.push_back(kernel::ipvs::RemoveService{info.service.id});
  SLUICE_TRY(ipvs->apply(ops), "remove virtual services");
  return ops.size();
}

} // namespace

bool is_kube_proxy_chain(std::string_view chain) {
  return std::find(std::begin(kChains), std::end(kChains), chain) != std::end(kChains) ||
         std::any_of(std::begin(kPrefixes), std::end(kPrefixes), [&](std::string_view prefix) {
           return chain.substr(0, prefix.size()) == prefix;
         });
}

std::string plan_iptables(std::string_view saved) {
  std::string text;
  for (const auto &[name, table] : tables_of(saved))
    text += plan_table(name, table);
  return text;
}

Removed remove_iptables() {
  Removed removed;
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto flavour : {Flavour::nft, Flavour::legacy})
      remove_iptables_of(family, flavour, removed);
  return removed;
}

std::string saved_iptables() {
  std::string text;
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto flavour : {Flavour::nft, Flavour::legacy})
      if (const auto tool = kernel::iptables::open_tool({.family = family, .flavour = flavour}))
        text += (*tool)->save("").value_or("");
  return text;
}

Removed remove_nftables(kernel::nft::Nft &nft) {
  using namespace kernel::nft;
  Removed removed;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const TableId table{table_family(family), "kube-proxy"};
    const auto what = "kube-proxy's nft table \"" + table.str() + "\"";
    auto found = nft.read_table(table);
    if (!found)
      removed.errors.push_back(std::move(found.error()).in("look for " + what));
    else if (*found)
      note(removed, what, nft.commit(Batch(table).destroy_table()));
  }
  return removed;
}

bool has_ipvs() {
  auto rtnl = kernel::RtnlSocket::open();
  return rtnl && rtnl->read_index(kIpvsLink).has_value();
}

Removed remove_ipvs() {
  Removed removed;
  auto rtnl = kernel::RtnlSocket::open();
  if (!rtnl || !rtnl->read_index(kIpvsLink))
    return removed;
  if (auto services = remove_ipvs_services(*rtnl); !services) {
    removed.errors.push_back(std::move(services.error()).in("remove kube-proxy's IPVS services"));
    return removed; // its addresses tell which services are kube-proxy's
  } else if (*services > 0) {
    removed.what.push_back(std::to_string(*services) + " IPVS services of kube-proxy");
  }
  kernel::RtnlBatch batch;
  batch.add(kernel::DeleteLink{std::string(kIpvsLink)});
  note(removed, std::string("link \"") + kIpvsLink + "\"", rtnl->apply(batch));
  return removed;
}

} // namespace sluice::proxy::leftovers
