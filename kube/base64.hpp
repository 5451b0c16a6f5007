#pragma once
// Base64 of RFC 4648 §4 (with padding; blanks and line ends between are allowed when decoding).

#include <optional>
#include <string>
#include <string_view>

namespace sluice::kube {

std::string base64_encode(std::string_view bytes);
/// Nothing if `text` is not base64.
std::optional<std::string> base64_decode(std::string_view text);

} // namespace sluice::kube
