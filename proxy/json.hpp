#pragma once
// The table and its answers as JSON, for the control socket and for --dry-run. Pure.

#include "proxy/model/findings.hpp"

#include <nlohmann/json_fwd.hpp>

namespace sluice::proxy {

nlohmann::json to_json(const Table &table);
nlohmann::json to_json(const Explanation &explanation);
/// The packet's explanation and the reasons beside it.
nlohmann::json to_json(const Findings &findings);
nlohmann::json to_json(const Flow &flow);

/// {"source": "10.0.0.2", "destination": "172.30.0.1", "port": 80, "protocol": "TCP",
///  "sourcePort": 1, "inInterface": "cni0"}; the last three may be left out.
Result<Flow> flow_from(const nlohmann::json &request);

} // namespace sluice::proxy
