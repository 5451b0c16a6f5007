#include "proxy/iptables/ruleset.hpp"

#include "net/hash.hpp"
#include "proxy/iptables/rule_text.hpp"
#include "proxy/iptables/service_rules.hpp"

namespace sluice::proxy::iptables {
namespace {

constexpr auto kServices = "SLUICE-SERVICES";       ///< nat: a new connection, from anywhere
constexpr auto kOutput = "SLUICE-OUTPUT";           ///< nat: the same, from the node itself
constexpr auto kPostrouting = "SLUICE-POSTROUTING"; ///< nat: who is masqueraded
constexpr auto kAddresses = "SLUICE-A";             ///< nat: by service address
constexpr auto kNodePorts = "SLUICE-N";             ///< nat: by nodePort
constexpr auto kHairpins = "SLUICE-H";              ///< nat: by local endpoint
constexpr auto kInput = "SLUICE-INPUT";             ///< filter: new and not translated
constexpr auto kForward = "SLUICE-FORWARD";         ///< filter: everything forwarded
constexpr auto kUntranslated = "SLUICE-NEW";        ///< filter: new and not translated
constexpr auto kRefused = "SLUICE-R";               ///< filter: by service address
constexpr auto kRefusedNodePorts = "SLUICE-P";      ///< filter: by nodePort

constexpr auto kNewAndUntranslated = "-m conntrack --ctstate NEW -m conntrack ! --ctstate DNAT";

std::string why(const char *text) { return "-m comment --comment \"" + std::string(text) + "\""; }
std::string go(const char *chain) { return std::string("-j ") + chain; }

/// Stands for "this address is a clusterIP" among the frontends of the filter.
Frontend any_port(const IpAddress &address) { return {address, Port(0), Protocol::tcp}; }

std::string hash_of(const ServicePortName &service, const std::string &more = {}) {
  return hex(fnv1a_64(service.str() + "/" + lower_name(service.protocol) + more));
}

std::string letter_of(FrontendKind kind) {
  switch (kind) {
  case FrontendKind::cluster_ip:
    return "C-";
  case FrontendKind::external_ip:
    return "E-";
  case FrontendKind::load_balancer:
    return "L-";
  case FrontendKind::node_port:
    break;
  }
  return "N-";
}

bool may_stay_untranslated(const FrontendInfo &info) {
  return route_of(info).refuses() || !info.source_ranges.empty();
}

} // namespace

std::vector<Jump> nat_jumps() {
  const auto services = words({why("sluice: service addresses"), go(kServices)});
  return {{"PREROUTING", services},
          {"OUTPUT", words({why("sluice: service addresses"), go(kOutput)})},
          {"POSTROUTING", words({why("sluice: masquerade"), go(kPostrouting)})}};
}

std::vector<Jump> filter_jumps(bool guarded) {
  const auto refuse = why("sluice: services without endpoints");
  std::vector<Jump> jumps;
  if (guarded)
    jumps.push_back({"INPUT", words({"-d 127.0.0.0/8 ! -i lo -m conntrack ! --ctstate "
                                     "RELATED,ESTABLISHED,DNAT",
                                     why("sluice: loopback is not for strangers"), go(kGuard)})});
  const std::vector<Jump> always{
      {"INPUT", words({kNewAndUntranslated, refuse, go(kInput)})},
      {"FORWARD", words({why("sluice: forwarded to services"), go(kForward)})},
      {"OUTPUT", words({kNewAndUntranslated, refuse, go(kUntranslated)})}};
  jumps.insert(jumps.end(), always.begin(), always.end());
  return jumps;
}

Ruleset::Ruleset(Family family, Options options)
    : family_(family), options_(std::move(options)),
      addresses_(family, DispatchTree::By::address, kAddresses),
      node_ports_(family, DispatchTree::By::port, kNodePorts),
      hairpins_(family, DispatchTree::By::address, kHairpins),
      refused_(family, DispatchTree::By::address, kRefused),
      refused_node_ports_(family, DispatchTree::By::port, kRefusedNodePorts) {
  table_.family = family;
}

// ---- what is where -----------------------------------------------------------------------------

void Ruleset::index(const Frontend &frontend, const FrontendInfo &info) {
  frontends_of_[info.service].insert(frontend);
  for (const auto *path : {&info.from_pod, &info.from_node, &info.from_outside})
    if (path->backends.value != 0)
      ++users_of_[path->backends][info.service];
  if (!route_of(info).empty())
    (frontend.address ? addresses_ : node_ports_).insert(frontend);
  if (may_stay_untranslated(info))
    (frontend.address ? refused_ : refused_node_ports_).insert(frontend);
  if (info.kind == FrontendKind::cluster_ip && frontend.address &&
      ++cluster_ips_[*frontend.address] == 1)
    refused_.insert(any_port(*frontend.address));
}

void Ruleset::unindex(const Frontend &frontend, const FrontendInfo &info) {
  if (auto of = frontends_of_.find(info.service);
      of->second.erase(frontend) != 0 && of->second.empty())
    frontends_of_.erase(of);
  for (const auto *path : {&info.from_pod, &info.from_node, &info.from_outside}) {
    if (path->backends.value == 0)
      continue;
    auto users = users_of_.find(path->backends);
    if (auto user = users->second.find(info.service); --user->second == 0)
      users->second.erase(user);
    if (users->second.empty())
      users_of_.erase(users);
  }
  (frontend.address ? addresses_ : node_ports_).erase(frontend);
  (frontend.address ? refused_ : refused_node_ports_).erase(frontend);
  if (info.kind != FrontendKind::cluster_ip || !frontend.address)
    return;
  if (auto count = cluster_ips_.find(*frontend.address); --count->second == 0) {
    refused_.erase(any_port(*frontend.address));
    cluster_ips_.erase(count);
  }
}

void Ruleset::count_local(const BackendSet &backends, int by) {
  for (const auto &backend : backends) {
    if (!backend.local)
      continue;
    const auto &ip = backend.address.ip;
    auto &count = local_[ip];
    const bool was = count > 0;
    count += by;
    if (!was && count > 0)
      hairpins_.insert(any_port(ip));
    if (was && count == 0)
      hairpins_.erase(any_port(ip));
    if (count == 0)
      local_.erase(ip);
  }
}

void Ruleset::apply(const TableDelta &delta) {
  for (const auto &frontend : delta.removeFrontends)
    if (auto found = table_.frontends.find(frontend); found != table_.frontends.end())
      unindex(frontend, found->second);
  for (const auto &[frontend, info] : delta.setFrontends) {
    if (auto found = table_.frontends.find(frontend); found != table_.frontends.end())
      unindex(frontend, found->second);
    index(frontend, info);
  }
  for (const auto &[id, backends] : delta.setBackends) {
    count_local(backends, 1);
    if (auto found = table_.backendSets.find(id); found != table_.backendSets.end())
      count_local(found->second, -1);
  }
  for (const auto &id : delta.removeBackends)
    if (auto found = table_.backendSets.find(id); found != table_.backendSets.end())
      count_local(found->second, -1);
  apply_delta(table_, delta);
}

void Ruleset::reset(const Table &table) {
  *this = Ruleset(family_, options_);
  apply(delta_between(table_, table));
  for (auto *tree : {&addresses_, &node_ports_, &hairpins_, &refused_, &refused_node_ports_})
    tree->take_marked();
}

std::set<ServicePortName> Ruleset::services_of(const TableDelta &delta) const {
  std::set<ServicePortName> services;
  for (const auto &[frontend, info] : delta.setFrontends)
    services.insert(info.service);
  const auto present = [&](const Frontend &frontend) {
    if (auto found = table_.frontends.find(frontend); found != table_.frontends.end())
      services.insert(found->second.service);
  };
  for (const auto &[frontend, info] : delta.setFrontends)
    present(frontend);
  for (const auto &frontend : delta.removeFrontends)
    present(frontend);
  for (const auto &[id, backends] : delta.setBackends)
    if (auto users = users_of_.find(id); users != users_of_.end())
      for (const auto &[service, count] : users->second)
        services.insert(service);
  return services;
}

void Ruleset::touch(const ServicePortName &service) {
  const auto of = frontends_of_.find(service);
  if (of == frontends_of_.end())
    return;
  for (const auto &frontend : of->second) {
    (frontend.address ? addresses_ : node_ports_).touch(frontend);
    (frontend.address ? refused_ : refused_node_ports_).touch(frontend);
  }
}

// ---- chains ------------------------------------------------------------------------------------

ChainSet Ruleset::change(const TableDelta &delta) {
  ChainSet chains;
  const auto services = services_of(delta);
  ChainSet before;
  for (const auto &service : services)
    service_chains(service, before);
  apply(delta);
  for (const auto &[name, rules] : before.nat)
    chains.nat[name] = std::nullopt;
  for (const auto &[name, rules] : before.filter)
    chains.filter[name] = std::nullopt;
  for (const auto &service : services) {
    touch(service);
    service_chains(service, chains);
  }
  marked_chains(chains);
  if (delta.node) {
    const auto every = all();
    for (const auto &[name, rules] : every.nat)
      chains.nat[name] = rules;
    for (const auto &[name, rules] : every.filter)
      chains.filter[name] = rules;
  }
  return chains;
}

void Ruleset::each_part(const std::function<void(ChainSet)> &take) const {
  const auto part = [&](const auto &fill) {
    ChainSet chains;
    fill(chains);
    take(std::move(chains));
  };
  part([&](ChainSet &out) { constant_chains(out); });
  for (const auto &[service, frontends] : frontends_of_)
    part([&, &name = service](ChainSet &out) { service_chains(name, out); });
  for (const auto *tree : {&addresses_, &node_ports_, &hairpins_})
    for (const auto &path : tree->paths())
      part([&](ChainSet &out) { tree_chain(*tree, path, out.nat); });
  for (const auto *tree : {&refused_, &refused_node_ports_})
    for (const auto &path : tree->paths())
      part([&](ChainSet &out) { tree_chain(*tree, path, out.filter); });
}

ChainSet Ruleset::all() const {
  ChainSet chains;
  each_part([&](ChainSet part) {
    chains.nat.merge(part.nat);
    chains.filter.merge(part.filter);
  });
  return chains;
}

void Ruleset::marked_chains(ChainSet &out) {
  for (auto *tree : {&addresses_, &node_ports_, &hairpins_})
    for (const auto &path : tree->take_marked())
      tree_chain(*tree, path, out.nat);
  for (auto *tree : {&refused_, &refused_node_ports_})
    for (const auto &path : tree->take_marked())
      tree_chain(*tree, path, out.filter);
}

void Ruleset::tree_chain(const DispatchTree &tree, const std::string &path, Chains &out) const {
  const bool nat = &tree == &addresses_ || &tree == &node_ports_;
  out[tree.chain(path)] = tree.rules(path, [&](const Frontend &frontend, Rules &rules) {
    if (&tree == &hairpins_)
      hairpin_entry(frontend, rules);
    else if (nat)
      translate_entry(frontend, rules);
    else
      refuse_entry(frontend, rules);
  });
}

void Ruleset::constant_chains(ChainSet &out) const {
  const auto bit = 1U << (table_.node.masqueradeBit & 31U);
  const auto ours = ct_mark_has(options_.ownershipCtMarkBit);
  const auto served = words({ct_mark_has(options_.ipvsCtMarkBit), "-j RETURN"});
  Rules services{go(kAddresses)}, input{served, go(kRefused)}, untranslated{served, go(kRefused)};
  for (const auto &phrase : node_port_phrases(family_, table_.node)) {
    services.push_back(words({phrase, go(kNodePorts)}));
    input.push_back(words({phrase, go(kRefusedNodePorts)}));
  }
  Rules output{go(kServices)};
  if (table_.node.localhostNodePorts) {
    output.insert(output.begin(), words({"-d 127.0.0.0/8", go(kNodePorts)}));
    input.push_back(words({"-d 127.0.0.0/8 -i lo", go(kRefusedNodePorts)}));
    out.filter[kGuard] = Rules{"-j DROP"};
  }
  for (const auto &cidr : table_.node.serviceCidrs)
    if (cidr.family() == family_ && cidr.prefix_length() > 0)
      untranslated.push_back(words({"-d", cidr.str(), "-j DROP"}));
  out.nat[kServices] = std::move(services);
  out.nat[kOutput] = std::move(output);
  out.nat[kPostrouting] = Rules{words({ours, go(kHairpins)}), words({mark_lacks(bit), "-j RETURN"}),
                                clear_set_mark(bit), kMasquerade};
  out.filter[kInput] = std::move(input);
  out.filter[kUntranslated] = std::move(untranslated);
  out.filter[kForward] =
      Rules{words({kNewAndUntranslated, go(kUntranslated)}), words({mark_has(bit), "-j ACCEPT"}),
            words({ours, "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"})};
}

void Ruleset::service_chains(const ServicePortName &service, ChainSet &out) const {
  const auto of = frontends_of_.find(service);
  if (of == frontends_of_.end())
    return;
  const ServiceContext context{family_, table_, options_, service};
  for (const auto &frontend : of->second) {
    const auto &info = table_.frontends.at(frontend);
    const auto route = route_of(info);
    const auto name = chain_of(info);
    if (!route.empty() && out.nat[name] == std::nullopt)
      add_route_chains(context, name, route, out.nat);
    if (route.refuses())
      if (auto rules = refusals(context, route); rules.size() > 1)
        out.filter[name] = std::move(rules);
  }
}

/// All frontends of one kind treat everybody alike; kinds that do so too share the chain of the
/// first.
std::string Ruleset::chain_of(const FrontendInfo &info) const {
  auto kind = info.kind;
  const auto route = route_of(info);
  for (const auto &other : frontends_of_.at(info.service))
    if (const auto &of = table_.frontends.at(other); of.kind < kind && route_of(of) == route)
      kind = of.kind;
  return std::string(kPrefix) + letter_of(kind) + hash_of(info.service);
}

// ---- leaves ------------------------------------------------------------------------------------

void Ruleset::translate_entry(const Frontend &frontend, Rules &rules) const {
  const auto &info = table_.frontends.at(frontend);
  const auto match =
      words({frontend_match(frontend, comment_of(info.service)), "-g", chain_of(info)});
  if (info.source_ranges.empty())
    rules.push_back(match);
  for (const auto &range : info.source_ranges)
    if (range.family() == family_)
      rules.push_back(words({"-s", range.str(), match}));
}

void Ruleset::refuse_entry(const Frontend &frontend, Rules &rules) const {
  if (frontend.address && frontend.port.value == 0) {
    rules.push_back(
        words({"-d", Cidr::host(*frontend.address).str(), refuse(family_, WhenEmpty::reject)}));
    return;
  }
  const auto &info = table_.frontends.at(frontend);
  const auto route = route_of(info);
  const auto match = frontend_match(frontend, comment_of(info.service));
  if (route.refuses()) {
    const auto answers = refusals({family_, table_, options_, info.service}, route);
    const auto target = answers.size() == 1 ? answers.front() : "-g " + chain_of(info);
    if (info.source_ranges.empty())
      rules.push_back(words({match, target}));
    for (const auto &range : info.source_ranges)
      if (range.family() == family_)
        rules.push_back(words({"-s", range.str(), match, target}));
  }
  if (!info.source_ranges.empty())
    rules.push_back(words({match, "-j DROP"}));
}

void Ruleset::hairpin_entry(const Frontend &frontend, Rules &rules) const {
  const auto host = Cidr::host(*frontend.address).str();
  rules.push_back(words({"-s", host, "-d", host, kMasquerade}));
}

} // namespace sluice::proxy::iptables
