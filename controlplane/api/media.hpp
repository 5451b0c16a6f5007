#pragma once
// Content negotiation: what the Accept header wants. Pure.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::controlplane {

/// "application/json;as=Table;v=v1;g=meta.k8s.io"
struct MediaType {
  std::string type; ///< lower case
  std::map<std::string, std::string> parameters;
  std::string parameter(const std::string &name) const;
};

/// The parts of an Accept header, in its order; those with q=0 are left out.
std::vector<MediaType> parse_accept(std::string_view header);
/// The type of a Content-Type header, lower case, without parameters.
std::string media_type_of(std::string_view header);

/// The form in which an object or a list is answered.
struct ObjectForm {
  enum class Kind : std::uint8_t { plain, table, metadata };
  Kind kind = Kind::plain;
  std::string version = "v1"; ///< of meta.k8s.io, for table and metadata
};
/// Nothing: 406. An empty header accepts JSON.
std::optional<ObjectForm> negotiate_object(std::string_view accept);

/// For /api and /apis: "v2", "v2beta1" of apidiscovery.k8s.io, or "" for the plain form.
std::optional<std::string> negotiate_discovery(std::string_view accept);

} // namespace sluice::controlplane
