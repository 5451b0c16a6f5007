#pragma once
// The order of the folders, as a check: a folder includes only from those that its row names
// (docs/architecture.md, "May use").

#include "net/result.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace sluice::tools {

/// Folder -> folders it may include, beside itself. A folder is named by the longest row that fits
/// its path: "cni/protocol" is a row of its own, "kernel/nft" belongs to "kernel".
using LayerTable = std::map<std::string, std::set<std::string>>;

/// The table that holds for this repository.
const LayerTable &layers();

/// The row that `file` (relative to the source root) belongs to; empty if none does.
std::string layer_of(const LayerTable &table, const std::string &file);

/// What `text`, the content of `file`, includes against the rules; one sentence each, in order.
std::vector<std::string> violations(const LayerTable &table, const std::string &file,
                                    const std::string &text);

/// `violations` of every C and C++ source under `root`, and a sentence for a folder that no row
/// names.
Result<std::vector<std::string>> check_tree(const std::filesystem::path &root);

} // namespace sluice::tools
