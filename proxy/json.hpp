#pragma once
// The table and its answers as JSON, for the control socket and for --dry-run. Pure.

#include "proxy/model/flow.hpp"

#include <nlohmann/json_fwd.hpp>

namespace sluice::proxy {

nlohmann::json to_json(const Table &table);
nlohmann::json to_json(const Explanation &explanation);

/// {"source": "10.0.0.2", "destination": "172.30.0.1", "port": 80, "protocol": "TCP",
///  "sourcePort": 1, "inInterface": "cni0"}; the last three may be left out.
Result<Flow> flow_from(const nlohmann::json &request);

} // namespace sluice::proxy
