#pragma once
// Puts the CNI program where container runtimes look for it.

#include "net/result.hpp"

#include <string>
#include <vector>

namespace sluice::cli {

/// The names that are installed if none is asked for: ours. The others replace the plugins of those
/// names that may be there.
std::vector<std::string> default_cni_names();
/// "all", or names with commas between; invalid_input names one that the program does not answer
/// to.
Result<std::vector<std::string>> parse_cni_names(const std::string &text);

/// Copies `program` into `folder` and gives it all `names`: one file with several hard links. Each
/// name changes over by rename(2), so that a runtime that starts it meanwhile gets the old or the
/// new program, and never ETXTBSY. The folder is made if it is missing. Nothing but temporary names
/// beginning with ".sluice-" is left on an error, and no name is missing at any time.
Result<> install_cni(const std::string &program, const std::string &folder,
                     const std::vector<std::string> &names);

} // namespace sluice::cli
