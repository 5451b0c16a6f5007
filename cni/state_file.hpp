#pragma once
// What a plugin remembers from ADD to DEL: one small file an attachment. (kernel/files.hpp does the
// same with std::filesystem, which would double this program.)

#include "cni/protocol/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cni {

/// nullopt if there is none. Code 5 names the file.
Outcome<std::optional<std::string>> read_state(const std::string &file);
/// Makes the folder (mode 0700) with its parents. A reader sees the old text or the new one.
Outcome<> save_state(const std::string &folder, const std::string &name, std::string_view text);
/// No error if it is gone.
Outcome<> remove_state(const std::string &file);
/// The names in a folder, in no order; empty if there is no such folder.
std::vector<std::string> states_in(const std::string &folder);

} // namespace sluice::cni
