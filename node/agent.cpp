#include "node/agent.hpp"

#include "node/masquerade.hpp"
#include "node/routes.hpp"

#include <algorithm>

namespace sluice::node {

bool Actions::empty() const noexcept {
  return links_and_routes.empty() && masquerade.empty() && sysctls.empty() && !cni_config;
}

std::string Actions::str() const {
  auto text = links_and_routes.str() + masquerade.str();
  for (const auto &[name, value] : sysctls)
    text += "sysctl " + name + " = " + value + "\n";
  if (cni_config)
    text += "write the CNI configuration:\n" + *cni_config;
  return text;
}

Agent::Agent(kernel::Rtnl &rtnl, kernel::nft::Nft &nft, kernel::Sysctl sysctl,
             CniConfigFile cni_config, Settings settings)
    : rtnl_(rtnl), nft_(nft), sysctl_(std::move(sysctl)), cni_config_(std::move(cni_config)),
      settings_(std::move(settings)) {}

Result<std::vector<kernel::Route>> Agent::read_routes() {
  SLUICE_ASSIGN(auto routes, rtnl_.read_routes(Family::ipv4), "IPv4");
  // A kernel without IPv6 answers nothing or refuses; both mean that there is none.
  if (const auto v6 = rtnl_.read_routes(Family::ipv6))
    routes.insert(routes.end(), v6->begin(), v6->end());
  return routes;
}

/// Pods reach anything outside their node only if it forwards. Written only where it is off.
std::vector<std::pair<std::string, std::string>> Agent::plan_sysctls(const Desired &desired) const {
  const std::pair<Family, std::string> forwarding[] = {
      {Family::ipv4, "net/ipv4/ip_forward"}, {Family::ipv6, "net/ipv6/conf/all/forwarding"}};
  std::vector<std::pair<std::string, std::string>> sysctls;
  for (const auto &[family, name] : forwarding) {
    const auto wanted = family;
    const bool has_pods = std::any_of(desired.own_pod_cidrs.begin(), desired.own_pod_cidrs.end(),
                                      [&](const Cidr &cidr) { return cidr.family() == wanted; });
    if (!has_pods)
      continue;
    if (const auto value = sysctl_.read(name); !value || *value == "0")
      sysctls.emplace_back(name, "1");
  }
  return sysctls;
}

Result<Actions> Agent::plan(const Cluster &cluster) {
  SLUICE_ASSIGN(const auto addresses, rtnl_.read_addresses(), "plan");
  SLUICE_ASSIGN(const auto routes, read_routes(), "plan");
  SLUICE_ASSIGN(const auto masquerade, read_masquerade(nft_), "plan");
  const auto desired = node::plan(cluster, settings_, addresses);

  Actions actions{.links_and_routes = plan_routes(routes, desired.routes),
                  .masquerade = plan_masquerade(masquerade, desired),
                  .sysctls = plan_sysctls(desired),
                  .cni_config = {},
                  .problems = desired.problems};
  // Service traffic between two pods of one bridge must pass the proxy's rules.
  if (const auto bridge = rtnl_.read_link(kernel::LinkRef(settings_.bridge));
      bridge && bridge->kind == "bridge" && !bridge->netfilter)
    actions.links_and_routes.add(
        kernel::SetLink{.link = kernel::LinkRef(settings_.bridge), .netfilter = true});
  if (!desired.own_pod_cidrs.empty()) {
    SLUICE_ASSIGN(const auto held, cni_config_.read(), "plan");
    if (auto text = cni_config_text(settings_, desired.own_pod_cidrs); text != held)
      actions.cni_config = std::move(text);
  }
  return actions;
}

std::vector<Error> Agent::apply(const Actions &actions) {
  std::vector<Error> failures;
  const auto note = [&](Result<> result) {
    if (!result)
      failures.push_back(std::move(result.error()));
  };
  for (const auto &[name, value] : actions.sysctls)
    note(sysctl_.write(name, value));
  if (auto refused = rtnl_.apply_each(actions.links_and_routes); !refused)
    failures.push_back(std::move(refused.error()));
  else
    for (auto &refusal : *refused)
      failures.push_back(std::move(refusal.error));
  if (!actions.masquerade.empty())
    note(nft_.commit(actions.masquerade));
  // Last: from here on the runtime starts pods.
  if (actions.cni_config)
    note(cni_config_.write(*actions.cni_config));
  return failures;
}

std::vector<Error> Agent::cleanup() {
  std::vector<Error> failures;
  if (auto removed = cni_config_.remove(); !removed)
    failures.push_back(std::move(removed.error()));
  auto routes = read_routes();
  if (!routes)
    failures.push_back(std::move(routes.error()));
  else if (auto refused = rtnl_.apply_each(plan_routes(*routes, {})); !refused)
    failures.push_back(std::move(refused.error()));
  else
    for (auto &refusal : *refused)
      failures.push_back(std::move(refusal.error));
  kernel::nft::Batch batch(masquerade_table());
  batch.destroy_table();
  if (auto committed = nft_.commit(batch); !committed)
    failures.push_back(std::move(committed.error()));
  return failures;
}

} // namespace sluice::node
