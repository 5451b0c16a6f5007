#pragma once
// SHA-512 (FIPS 180-4), for names that other programs make with it. Not for secrets.

#include <string>
#include <string_view>

namespace sluice {

/// The digest of `bytes` as 128 lower-case hexadecimal digits.
std::string sha512_hex(std::string_view bytes);

} // namespace sluice
