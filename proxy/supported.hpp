#pragma once
// What the data plane of this version can realise. Everything else stays out of the table.

#include "proxy/model/table_builder.hpp"

namespace sluice::proxy {

/// Lets ClusterIP frontends of TCP and UDP pass, without session affinity. `left_out` is told in
/// people's words what was taken away, each time.
FrontendFilter supported_by_nftables(std::function<void(const std::string &)> left_out);

} // namespace sluice::proxy
