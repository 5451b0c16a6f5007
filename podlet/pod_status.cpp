#include "podlet/pod_status.hpp"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace sluice::podlet {
namespace {

using nlohmann::json;
using Phase = ContainerState::Phase;

struct Verdict {
  const char *type;
  bool holds;
  std::string reason, message;
};

json condition(const Verdict &verdict, const std::vector<kube::Condition> &before, Time now) {
  const std::string status = verdict.holds ? "True" : "False";
  std::string since = to_rfc3339(now);
  for (const auto &old : before)
    if (old.type == verdict.type && old.status == status && !old.lastTransitionTime.empty())
      since = old.lastTransitionTime;
  json entry{{"type", verdict.type}, {"status", status}, {"lastTransitionTime", since}};
  if (!verdict.reason.empty())
    entry["reason"] = verdict.reason;
  if (!verdict.message.empty())
    entry["message"] = verdict.message;
  return entry;
}

json terminated(const Termination &end) {
  json entry{{"exitCode", end.exit_code},
             {"reason", end.reason},
             {"startedAt", to_rfc3339(end.started)},
             {"finishedAt", to_rfc3339(end.finished)}};
  if (end.signal != 0)
    entry["signal"] = end.signal;
  return entry;
}

json waiting(const std::string &reason, const std::string &message) {
  json entry{{"reason", reason}};
  if (!message.empty())
    entry["message"] = message;
  return {{"waiting", entry}};
}

json state_of(const ContainerState &container, const StatusContext &context) {
  if (!context.sandbox_ready)
    return waiting(context.waiting_reason, context.waiting_message);
  switch (container.phase) {
  case Phase::running:
    return {{"running", {{"startedAt", to_rfc3339(container.started)}}}};
  case Phase::terminated:
    return {{"terminated", terminated(*container.last)}};
  case Phase::waiting:
    break;
  }
  return waiting(container.reason, container.message);
}

json container_status(const kube::Container &spec, const ContainerState &container,
                      const StatusContext &context) {
  const bool running = container.phase == Phase::running;
  json status{{"name", spec.name},
              {"image", spec.image},
              {"imageID", ""},
              {"ready", running && container.ready},
              {"started", running},
              {"restartCount", container.restarts},
              {"state", state_of(container, context)},
              {"lastState", json::object()}};
  if (container.last && container.phase != Phase::terminated)
    status["lastState"]["terminated"] = terminated(*container.last);
  if (running || container.last)
    status["containerID"] = "sluice://" + context.sandbox_id + "-" + spec.name + "-" +
                            std::to_string(container.restarts);
  return status;
}

json statuses(const std::vector<kube::Container> &specs,
              const std::vector<ContainerState> &containers, const StatusContext &context) {
  auto list = json::array();
  for (std::size_t i = 0; i < specs.size() && i < containers.size(); ++i)
    list.push_back(container_status(specs[i], containers[i], context));
  return list;
}

std::string unready_names(const kube::Pod &pod, const PodState &state) {
  std::string names;
  for (std::size_t i = 0; i < pod.containers.size(); ++i)
    if (!state.containers[i].ready)
      names += (names.empty() ? "" : " ") + pod.containers[i].name;
  return names;
}

json pod_conditions(const kube::Pod &pod, const PodState &state, Time now) {
  const auto phase = phase_of(pod, state);
  const bool ready = all_ready(state);
  const bool initialized = phase != "Pending" || state.init.empty();
  const std::string why = ready ? "" : phase == "Succeeded" ? "PodCompleted" : "ContainersNotReady";
  const std::string which = ready || phase == "Succeeded" ? ""
                                                          : "containers with unready status: [" +
                                                                unready_names(pod, state) + "]";
  auto list = json::array();
  for (const auto &verdict :
       {Verdict{"Initialized", initialized, "", ""}, Verdict{"Ready", ready, why, which},
        Verdict{"ContainersReady", ready, why, which}, Verdict{"PodScheduled", true, "", ""}})
    list.push_back(condition(verdict, pod.conditions, now));
  return list;
}

} // namespace

std::string to_rfc3339(Time time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Time from_rfc3339(const std::string &text) {
  tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr)
    return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

json status_patch(const kube::Pod &pod, const PodState &state, const StatusContext &context,
                  Time now) {
  json status{{"phase", phase_of(pod, state)},
              {"startTime", to_rfc3339(state.started)},
              {"conditions", pod_conditions(pod, state, now)},
              {"containerStatuses", statuses(pod.containers, state.containers, context)}};
  if (!state.init.empty())
    status["initContainerStatuses"] = statuses(pod.initContainers, state.init, context);
  if (!context.node_ips.empty())
    status["hostIP"] = context.node_ips.front().str();
  for (const auto &ip : context.node_ips)
    status["hostIPs"].push_back({{"ip", ip.str()}});
  if (!state.ips.empty())
    status["podIP"] = state.ips.front().str();
  for (const auto &ip : state.ips)
    status["podIPs"].push_back({{"ip", ip.str()}});
  return {{"status", status}};
}

json node_object(const NodeFacts &facts, const std::vector<kube::Condition> &conditions, Time now) {
  const bool ready = facts.not_ready.empty();
  auto addresses = json::array();
  for (const auto &ip : facts.ips)
    addresses.push_back({{"type", "InternalIP"}, {"address", ip.str()}});
  addresses.push_back({{"type", "Hostname"}, {"address", facts.name}});
  const json resources{{"cpu", std::to_string(facts.cpus)},
                       {"memory", std::to_string(facts.memory_bytes / 1024) + "Ki"},
                       {"pods", std::to_string(facts.pods)}};
  auto list = json::array();
  for (const char *pressure : {"MemoryPressure", "DiskPressure", "PIDPressure"})
    list.push_back(
        condition({pressure, false, "PodletHasSufficient", "not watched"}, conditions, now));
  list.push_back(condition({"Ready", ready, ready ? "PodletReady" : "NetworkPluginNotReady",
                            ready ? "podlet is posting ready status" : facts.not_ready},
                           conditions, now));
  for (auto &entry : list)
    entry["lastHeartbeatTime"] = to_rfc3339(now);
  return {{"apiVersion", "v1"},
          {"kind", "Node"},
          {"metadata",
           {{"name", facts.name},
            {"labels",
             {{"kubernetes.io/hostname", facts.name},
              {"kubernetes.io/os", "linux"},
              {"kubernetes.io/arch", facts.architecture}}}}},
          {"status",
           {{"addresses", addresses},
            {"capacity", resources},
            {"allocatable", resources},
            {"conditions", list},
            {"nodeInfo",
             {{"machineID", facts.machine_id},
              {"systemUUID", facts.machine_id},
              {"bootID", ""},
              {"kernelVersion", facts.kernel_version},
              {"osImage", facts.os_image},
              {"containerRuntimeVersion", "sluice-podlet://" + facts.version},
              {"kubeletVersion", facts.version},
              {"kubeProxyVersion", facts.version},
              {"operatingSystem", "linux"},
              {"architecture", facts.architecture}}}}}};
}

} // namespace sluice::podlet
