#pragma once
// status of a Pod and of a Node as JSON. Pure.

#include "podlet/pod_state.hpp"

#include <nlohmann/json_fwd.hpp>

namespace sluice::podlet {

/// RFC 3339 in UTC, whole seconds; and back (the epoch if it is no such time).
std::string to_rfc3339(Time time);
Time from_rfc3339(const std::string &text);

struct StatusContext {
  std::vector<IpAddress> node_ips;
  std::string sandbox_id; ///< part of the container ids
  bool sandbox_ready = true;
  std::string waiting_reason, waiting_message; ///< of every container while there is no sandbox
};

/// {"status": {...}} for a merge patch of the status subresource: phase, conditions, hostIP, podIP,
/// podIPs, startTime, containerStatuses, initContainerStatuses. A condition keeps its
/// lastTransitionTime from `pod` while its status is the same.
nlohmann::json status_patch(const kube::Pod &pod, const PodState &state,
                            const StatusContext &context, Time now);

struct NodeFacts {
  std::string name, machine_id, kernel_version, os_image, architecture, version;
  std::vector<IpAddress> ips;
  unsigned cpus = 1, pods = 110;
  std::uint64_t memory_bytes = 0;
  std::string not_ready; ///< why it is not Ready; empty: it is
};
/// metadata and status of the Node; `conditions` are those that the API has.
nlohmann::json node_object(const NodeFacts &facts, const std::vector<kube::Condition> &conditions,
                           Time now);

} // namespace sluice::podlet
