#pragma once

#include "net/result.hpp"

#include <string>
#include <vector>

namespace sluice::cluster {

/// execvp(3). Returns only if that fails.
Result<> exec_program(const std::vector<std::string> &argv);

} // namespace sluice::cluster
