#pragma once
// Small files and folders, with errors that name them.

#include "net/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace sluice::kernel {

/// With its parents; one that exists is fine.
Result<> make_folders(const std::string &path, mode_t mode = 0755);
/// Not its parents; already_exists if it is there.
Result<> make_folder(const std::string &path, mode_t mode = 0755);
/// not_found if there is none.
Result<std::string> read_file(const std::string &path);
/// A reader sees the old text or the new one, never a part (a temporary file beside it, rename(2)).
Result<> write_file(const std::string &path, std::string_view text, mode_t mode = 0644);
/// With all that is below; crosses no mount. No error if it is gone.
Result<> remove_tree(const std::string &path);
/// rmdir(2) if it is empty; otherwise nothing happens.
void remove_folder_if_empty(const std::string &path);
/// Names in a folder, sorted; empty if there is no such folder.
std::vector<std::string> names_in(const std::string &folder);

} // namespace sluice::kernel
