#include "proxy/iptables/service_rules.hpp"

#include "net/hash.hpp"
#include "proxy/iptables/rule_text.hpp"

namespace sluice::proxy::iptables {
namespace {

bool is_empty(const TrafficPath &path) { return path.backends.value == 0; }

class RouteRules {
public:
  RouteRules(const ServiceContext &context, const Route &route, Chains &out)
      : context_(context), route_(route), out_(out),
        pods_(pod_phrases(context.table.node.localDetector)) {
    if (pods_.empty())
      route_.pod = route_.outside; // nobody is seen as a pod
  }

  void add(const std::string &chain) {
    if (same_endpoints())
      mark_some();
    else
      branch();
    if (!is_empty(route_.outside))
      pick(route_.outside.backends, rules_);
    out_[chain] = std::move(rules_);
  }

private:
  bool same_endpoints() const {
    return route_.pod.backends == route_.outside.backends &&
           route_.node.backends == route_.outside.backends &&
           (mark_all() || mark_none() || mark_all_but_pods());
  }
  bool mark_all() const {
    return route_.pod.masquerade && route_.node.masquerade && route_.outside.masquerade;
  }
  bool mark_none() const {
    return !route_.pod.masquerade && !route_.node.masquerade && !route_.outside.masquerade;
  }
  bool mark_all_but_pods() const {
    return pods_.size() == 1 && !pods_.front().empty() && !route_.pod.masquerade &&
           route_.node.masquerade && route_.outside.masquerade;
  }

  void mark_some() {
    if (mark_all())
      rules_.push_back(masquerade_mark());
    else if (mark_all_but_pods())
      rules_.push_back(words({"!", pods_.front(), masquerade_mark()}));
  }

  /// Pods, then the node, each to the endpoints of its own; the rest goes on.
  void branch() {
    for (const auto &phrase : pods_)
      branch(phrase, route_.pod);
    if (!(route_.node == route_.outside))
      branch(kFromNode, route_.node);
    if (route_.outside.masquerade && !is_empty(route_.outside))
      rules_.push_back(masquerade_mark());
  }

  void branch(const std::string &phrase, const TrafficPath &path) {
    if (is_empty(path)) {
      rules_.push_back(words({phrase, "-j RETURN"}));
      return;
    }
    if (path.masquerade)
      rules_.push_back(words({phrase, masquerade_mark()}));
    rules_.push_back(words({phrase, "-g", set_chain(path.backends)}));
  }

  std::string set_chain(BackendSetId set) {
    const auto name =
        std::string(kPrefix) + "S-" +
        hex(fnv1a_64(context_.service.str() + "/" + lower_name(context_.service.protocol) + "#" +
                     std::to_string(set.value)));
    auto &chain = out_[name];
    if (!chain)
      pick(set, chain.emplace());
    return name;
  }

  void pick(BackendSetId set, Rules &rules) const {
    const auto &backends = context_.table.backendSets.at(set);
    rules.push_back(set_ct_mark(context_.options.ownershipCtMarkBit));
    const auto protocol = "-p " + lower_name(context_.service.protocol);
    if (route_.affinity)
      for (const auto &backend : backends)
        rules.push_back(words({protocol, known_client(backend), dnat(backend.address)}));
    for (std::size_t at = 0; at < backends.size(); ++at)
      rules.push_back(
          words({protocol, one_of(backends.size() - at),
                 route_.affinity ? new_client(backends[at]) : "", dnat(backends[at].address)}));
  }

  /// One list of clients for each endpoint of a service port, whatever address they came for.
  std::string client_list(const Backend &backend) const {
    const auto name =
        hex(fnv1a_64(context_.service.str() + "/" + lower_name(context_.service.protocol) + ">" +
                     backend.address.str()));
    return "--name sluice-" + name + " --mask " +
           (context_.family == Family::ipv4 ? "255.255.255.255"
                                            : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") +
           " --rsource";
  }
  std::string known_client(const Backend &backend) const {
    return "-m recent --update --seconds " + std::to_string(route_.affinity->count()) + " --reap " +
           client_list(backend);
  }
  std::string new_client(const Backend &backend) const {
    return "-m recent --set " + client_list(backend);
  }

  std::string masquerade_mark() const {
    return set_mark(1U << (context_.table.node.masqueradeBit & 31U));
  }

  const ServiceContext &context_;
  Route route_;
  Chains &out_;
  std::vector<std::string> pods_;
  Rules rules_;
};

} // namespace

bool Route::empty() const noexcept { return is_empty(pod) && is_empty(node) && is_empty(outside); }
bool Route::refuses() const noexcept {
  return is_empty(pod) || is_empty(node) || is_empty(outside);
}

Route route_of(const FrontendInfo &info) {
  return {info.from_pod, info.from_node, info.from_outside, info.affinity};
}

void add_route_chains(const ServiceContext &context, const std::string &chain, const Route &route,
                      Chains &out) {
  RouteRules(context, route, out).add(chain);
}

Rules refusals(const ServiceContext &context, const Route &route) {
  const auto answer = [&](const TrafficPath &path) {
    return is_empty(path) ? refuse(context.family, path.whenEmpty) : std::string("-j RETURN");
  };
  Rules rules;
  if (answer(route.pod) != answer(route.outside) || answer(route.node) != answer(route.outside)) {
    for (const auto &phrase : pod_phrases(context.table.node.localDetector))
      rules.push_back(words({phrase, answer(route.pod)}));
    rules.push_back(words({kFromNode, answer(route.node)}));
  }
  rules.push_back(answer(route.outside));
  return rules;
}

} // namespace sluice::proxy::iptables
