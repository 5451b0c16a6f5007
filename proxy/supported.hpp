#pragma once
// What the data plane of this version can realise. Everything else stays out of the table.

#include "proxy/model/table_builder.hpp"

namespace sluice::proxy {

/// Lets ClusterIP frontends of TCP and UDP pass. `left_out` is called once for each kind of thing
/// that does not, in people's words.
FrontendFilter supported_by_nftables(std::function<void(const std::string &)> left_out);

} // namespace sluice::proxy
