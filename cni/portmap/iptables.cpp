#include "cni/portmap/iptables.hpp"

#include "cni/iptables.hpp"
#include "cni/portmap/iptables_rules.hpp"

namespace sluice::cni {

Outcome<> forward_by_iptables(const PortmapConfig &config, const PortmapOwner &owner,
                              const InterfaceAddress &pod) {
  const auto &mark_chain = config.external_set_mark_chain;
  bool can_mark = true;
  SLUICE_PASS(change_nat(
      pod.ip.family(), Iptables::of_the_node, "map ports to " + pod.ip.str() + " with iptables",
      [&](const NatTable &table) -> std::vector<std::string> {
        can_mark = !config.snat || mark_chain.empty() || table.has_chain(mark_chain);
        if (!can_mark)
          return {};
        return plan_forwarding(table, config, owner, pod);
      }));
  if (!can_mark)
    return fail(Code::invalid_config,
                "externalSetMarkChain is \"" + mark_chain + "\", and the nat table of " +
                    std::string(name_of(pod.ip.family())) + " has no such chain",
                "its owner makes it (kube-proxy: KUBE-MARK-MASQ); or leave the key out");
  return {};
}

Outcome<> unforward_by_iptables(const PortmapOwner &owner) {
  return remove_nat_chains(chains_of(owner),
                           "remove the port mappings of container " + owner.container_id);
}

Outcome<> check_by_iptables(const PortmapConfig &config, const PortmapOwner &owner,
                            const InterfaceAddress &pod) {
  SLUICE_TAKE(const auto table, read_nat(pod.ip.family(), Iptables::of_the_node));
  if (const auto missing = missing_rule(table, config, owner, pod))
    return fail(Code::check_failed, "the nat table has no rule \"" + *missing +
                                        "\" for container " + owner.container_id + " at " +
                                        pod.ip.str());
  return {};
}

Outcome<> collect_by_iptables(const std::string &network, const std::set<std::string> &valid) {
  if (!has_iptables())
    return {};
  const auto doing = "remove stale port mappings of network \"" + network + "\"";
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto kind : kinds_with_chain(family, {"CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SNAT"}))
      SLUICE_PASS(change_nat(family, kind, doing, [&](const NatTable &table) {
        return removal_of(table, stale_chains(table, network, valid));
      }));
  return {};
}

} // namespace sluice::cni
