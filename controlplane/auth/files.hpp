#pragma once
// The few files that hold keys and certificates.

#include "net/result.hpp"

#include <string>
#include <string_view>

namespace sluice::controlplane {

/// not_found if there is none.
Result<std::string> read_file(const std::string &file);
/// Replaces the file in one step, with that mode; the folder must exist.
Result<> write_file(const std::string &file, std::string_view text, unsigned mode);
inline Result<> write_private_file(const std::string &file, std::string_view text) {
  return write_file(file, text, 0600);
}

} // namespace sluice::controlplane
