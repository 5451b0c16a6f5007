#pragma once
// What is written down about a cluster, so that it can be listed and entered later.

#include "cluster/cluster.hpp"

namespace sluice::cluster {

struct State {
  std::string name, created; ///< RFC 3339
  Port api_port{0};
  std::vector<std::string> nodes;
};

std::string to_json(const State &state);
/// Errors: invalid_input.
Result<State> parse_state(std::string_view json);
/// Errors: not_found, naming the clusters that exist; invalid_input.
Result<State> read_state(const Place &place, const std::string &name);

/// "2026-11-21T08:00:00Z"
std::string utc_now();

/// The folder of cgroup2 of a member ("controlplane", "node1").
std::string member_cgroup(const std::string &cluster_cgroup, const std::string &member);

} // namespace sluice::cluster
