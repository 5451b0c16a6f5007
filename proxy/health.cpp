#include "proxy/health.hpp"

#include "proxy/rfc3339.hpp"

#include <nlohmann/json.hpp>

namespace sluice::proxy {

HealthAnswer health_of(const HealthState &state, bool with_node, Clock::time_point now,
                       std::chrono::system_clock::time_point wall, Clock::duration patience) {
  bool healthy = true;
  auto families = nlohmann::json::object();
  std::chrono::system_clock::time_point last{};
  for (const auto &[family, of] : state.families) {
    const bool fine = !of.oldest_change || now - *of.oldest_change <= patience;
    healthy = healthy && fine;
    const auto updated = fine ? wall : of.last_sync;
    last = std::max(last, updated);
    families[std::string(name_of(family))] = {{"lastUpdated", rfc3339(updated)}, {"healthy", fine}};
  }
  nlohmann::json body = {{"lastUpdated", rfc3339(healthy ? wall : last)},
                         {"currentTime", rfc3339(wall)},
                         {"healthy", healthy},
                         {"status", std::move(families)}};
  if (with_node)
    body["nodeEligible"] = state.node_eligible;
  return {healthy && (!with_node || state.node_eligible), body.dump() + "\n"};
}

HealthAnswer readiness_of(const HealthState &state) {
  auto families = nlohmann::json::object();
  bool ready = !state.families.empty();
  for (const auto &[family, of] : state.families) {
    ready = ready && of.synced;
    families[std::string(name_of(family))] = {{"ready", of.synced}};
  }
  return {ready, nlohmann::json{{"ready", ready}, {"status", std::move(families)}}.dump() + "\n"};
}

} // namespace sluice::proxy
