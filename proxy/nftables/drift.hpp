#pragma once

#include "proxy/nftables/mirror.hpp"

namespace sluice::proxy::nftables {

/// What a plan would put right, in people's words. What no packet looks at is no drift.
Drift drift_of(Family family, const Plan &plan);

} // namespace sluice::proxy::nftables
