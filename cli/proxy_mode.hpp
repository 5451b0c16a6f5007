#pragma once
// sluicectl proxy mode: says which data plane runs, or changes to another one.

#include "cli/command.hpp"

#include <string>

namespace sluice::cli {

/// Prints the mode if `wanted` is empty. Else asks the daemon behind `socket` to change, waits
/// until the new rules are in the kernel and says what is left of the old ones.
Outcome proxy_mode(const std::string &socket, const std::string &wanted, bool as_json);

} // namespace sluice::cli
