#pragma once
// A command of sluicectl: declares its flags below `parent`, and when chosen leaves its exit code
// or its error in `outcome`, which outlives the parsing.

#include "net/result.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

using Outcome = Result<int>;

void add_cluster(CLI::App &parent, Outcome &outcome);
void add_cni(CLI::App &parent, Outcome &outcome);
void add_netexec(CLI::App &parent, Outcome &outcome);
void add_proxy(CLI::App &parent, Outcome &outcome); ///< proxy, explain

} // namespace sluice::cli
