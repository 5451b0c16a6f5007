#pragma once
// Base 64 (RFC 4648): sections 4 and 5.

#include "net/result.hpp"

#include <string>
#include <string_view>

namespace sluice {

/// With padding.
std::string base64_encode(std::string_view bytes);
/// The alphabet for URLs and JWT, without padding.
std::string base64url_encode(std::string_view bytes);
/// Takes both alphabets, with or without padding; white space is skipped. Anything else is
/// invalid_input.
Result<std::string> base64_decode(std::string_view text);

} // namespace sluice
