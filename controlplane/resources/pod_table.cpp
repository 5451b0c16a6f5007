#include "controlplane/resources/access.hpp"
#include "controlplane/resources/pod_parts.hpp"
#include "controlplane/resources/printing.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

bool is_finished(const json &object) {
  const auto phase = text(object, "status.phase");
  return phase == "Succeeded" || phase == "Failed";
}

bool has_true_condition(const json &object, std::string_view kind) {
  for (const auto &condition : list(object, "status.conditions"))
    if (text(condition, "type") == kind)
      return text(condition, "status") == "True";
  return false;
}

/// Why a container ended: its reason, else its signal or exit code.
std::string end_text(const json &terminated) {
  const auto reason = text(terminated, "reason");
  if (!reason.empty())
    return reason;
  const auto signal = number(terminated, "signal");
  return signal != 0 ? "Signal:" + std::to_string(signal)
                     : "ExitCode:" + std::to_string(number(terminated, "exitCode"));
}

/// "Init:0/2" and the like while init containers run; nothing once they are done.
std::optional<std::string> init_text(const json &object) {
  const auto &statuses = list(object, "status.initContainerStatuses");
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const json &terminated = at(statuses[i], "state.terminated");
    const auto waiting = text(statuses[i], "state.waiting.reason");
    if (terminated.is_object() && number(terminated, "exitCode") == 0)
      continue;
    if (terminated.is_object())
      return "Init:" + end_text(terminated);
    if (!waiting.empty() && waiting != "PodInitializing")
      return "Init:" + waiting;
    return "Init:" + std::to_string(i) + "/" +
           std::to_string(list(object, "spec.initContainers").size());
  }
  return std::nullopt;
}

/// What the containers say, the first of them last so that it wins.
std::string containers_text(const json &object, std::string reason) {
  bool running = false;
  const auto &statuses = list(object, "status.containerStatuses");
  for (auto status = statuses.rbegin(); status != statuses.rend(); ++status) {
    const auto waiting = text(*status, "state.waiting.reason");
    const json &terminated = at(*status, "state.terminated");
    if (!waiting.empty())
      reason = waiting;
    else if (terminated.is_object())
      reason = end_text(terminated);
    else if (flag(*status, "ready") && at(*status, "state.running").is_object())
      running = true;
  }
  if (reason == "Completed" && running)
    return has_true_condition(object, "Ready") ? "Running" : "NotReady";
  return reason;
}

std::string status_text(const json &object) {
  auto reason = text(object, "status.reason");
  if (reason.empty())
    reason = text(object, "status.phase");
  const auto init = init_text(object);
  reason = init ? *init : containers_text(object, std::move(reason));
  if (is_empty(object, "metadata.deletionTimestamp"))
    return reason;
  if (text(object, "status.reason") == "NodeLost")
    return "Unknown";
  return is_finished(object) ? reason : "Terminating";
}

std::string ready_text(const json &object) {
  const auto &statuses = list(object, "status.containerStatuses");
  const auto ready = std::count_if(statuses.begin(), statuses.end(), [](const json &status) {
    return flag(status, "ready") && at(status, "state.running").is_object();
  });
  return std::to_string(ready) + "/" + std::to_string(list(object, "spec.containers").size());
}

/// "3 (2m ago)"
std::string restarts_text(const json &object, SystemTime now) {
  std::int64_t restarts = 0;
  std::optional<SystemTime> last;
  for (const auto &status : list(object, "status.containerStatuses")) {
    restarts += number(status, "restartCount");
    const auto ended = parse_time(text(status, "lastState.terminated.finishedAt"));
    last = std::max(last, ended);
  }
  if (restarts == 0 || !last)
    return std::to_string(restarts);
  return std::to_string(restarts) + " (" +
         human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *last)) + " ago)";
}

std::string or_none(std::string text) { return text.empty() ? "<none>" : text; }

std::string gates_text(const json &object) {
  const auto &gates = list(object, "spec.readinessGates");
  if (gates.empty())
    return "<none>";
  const auto met = std::count_if(gates.begin(), gates.end(), [&](const json &gate) {
    return has_true_condition(object, text(gate, "conditionType"));
  });
  return std::to_string(met) + "/" + std::to_string(gates.size());
}

} // namespace

std::vector<Column> pod_columns() {
  return {name_column(),          {"Ready"},  {"Status"},   {"Restarts"},
          age_column(),           wide("IP"), wide("Node"), wide("Nominated Node"),
          wide("Readiness Gates")};
}

json pod_cells(const json &object, SystemTime now) {
  const auto &ips = list(object, "status.podIPs");
  const auto ip = ips.empty() ? text(object, "status.podIP") : text(ips[0], "ip");
  return json::array({text(object, "metadata.name"), ready_text(object), status_text(object),
                      restarts_text(object, now), age(object, "metadata.creationTimestamp", now),
                      or_none(ip), or_none(text(object, "spec.nodeName")),
                      or_none(text(object, "status.nominatedNodeName")), gates_text(object)});
}

} // namespace sluice::controlplane
