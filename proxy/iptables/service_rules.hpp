#pragma once
// What happens to a connection once its frontend is found: who is masqueraded, which endpoint is
// picked, and what is refused if there is none. Pure.

#include "proxy/iptables/ruleset.hpp"

namespace sluice::proxy::iptables {

/// Frontends of one service port that treat everybody alike share their chains.
struct Route {
  TrafficPath pod, node, outside;
  std::optional<std::chrono::seconds> affinity;
  friend bool operator==(const Route &, const Route &) = default;

  /// No source is translated.
  bool empty() const noexcept;
  /// Some source is not translated.
  bool refuses() const noexcept;
};
Route route_of(const FrontendInfo &info);

struct ServiceContext {
  Family family;
  const Table &table;
  const Options &options;
  const ServicePortName &service;
};

/// The rules of table nat: `chain` and, where sources differ, a chain for each set of endpoints.
void add_route_chains(const ServiceContext &context, const std::string &chain, const Route &route,
                      Chains &out);
/// The rules of table filter for what was not translated: one rule with a target if the answer is
/// the same for every source, else rules of a chain of its own.
Rules refusals(const ServiceContext &context, const Route &route);

} // namespace sluice::proxy::iptables
