#pragma once
// A parsed JSON document has lost the first of two equal keys; where that must be refused, the text
// is looked at again. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace sluice::cni {

/// The first key that is in one object of the name `object` twice (the case of that name does not
/// matter), wherever in the document that object is. Two objects at one place are one. `text` is
/// JSON: of anything else the answer means nothing.
std::optional<std::string> repeated_key(std::string_view text, std::string_view object);

} // namespace sluice::cni
