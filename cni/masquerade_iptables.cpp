#include "cni/masquerade_iptables.hpp"

#include "cni/iptables.hpp"

namespace sluice::cni {
namespace {

std::vector<std::string> missing_rules(const NatTable &table, const MasqueradeOwner &owner,
                                       Family family, const std::vector<InterfaceAddress> &pods) {
  std::vector<std::string> missing;
  for (const auto &pod : pods)
    if (pod.ip.family() == family)
      for (auto &rule : masquerade_rules(owner, pod))
        if (!table.has_rule(rule))
          missing.push_back(std::move(rule));
  return missing;
}

/// Two addresses of one network share two of the three rules.
void append_once(std::vector<std::string> &commands, std::string command) {
  if (std::find(commands.begin(), commands.end(), command) == commands.end())
    commands.push_back(std::move(command));
}

std::set<Family> families_of(const std::vector<InterfaceAddress> &pods) {
  std::set<Family> families;
  for (const auto &pod : pods)
    families.insert(pod.ip.family());
  return families;
}

} // namespace

std::vector<std::string> masquerade_rules(const MasqueradeOwner &owner,
                                          const InterfaceAddress &pod) {
  const auto chain = reference_chain("", owner.network, owner.container_id);
  const auto comment = " -m comment --comment \"name: \\\"" + owner.network + "\\\" id: \\\"" +
                       owner.container_id + "\\\"\" -j ";
  const auto *multicast = pod.ip.is_v4() ? "224.0.0.0/4" : "ff00::/8";
  return {"-A " + chain + " -d " + pod.network().str() + comment + "ACCEPT",
          "-A " + chain + " ! -d " + multicast + comment + "MASQUERADE",
          "-A POSTROUTING -s " + Cidr::host(pod.ip).str() + comment + chain};
}

Outcome<> masquerade_by_iptables(const MasqueradeOwner &owner,
                                 const std::vector<InterfaceAddress> &pods) {
  const auto chain = reference_chain("", owner.network, owner.container_id);
  for (const auto family : families_of(pods))
    SLUICE_PASS(change_nat(family, Iptables::of_the_node,
                           "masquerade container " + owner.container_id + " with iptables",
                           [&](const NatTable &table) {
                             std::vector<std::string> commands;
                             if (!table.has_chain(chain))
                               commands.push_back("-N " + chain);
                             for (auto &rule : missing_rules(table, owner, family, pods))
                               append_once(commands, std::move(rule));
                             return commands;
                           }));
  return {};
}

Outcome<> check_masquerade_by_iptables(const MasqueradeOwner &owner,
                                       const std::vector<InterfaceAddress> &pods) {
  for (const auto family : families_of(pods)) {
    SLUICE_TAKE(const auto table, read_nat(family, Iptables::of_the_node));
    const auto missing = missing_rules(table, owner, family, pods);
    if (!missing.empty())
      return fail(Code::check_failed, "the nat table has no rule \"" + missing.front() + "\"");
  }
  return {};
}

} // namespace sluice::cni
