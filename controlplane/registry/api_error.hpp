#pragma once
// Failures as the API reports them: everything that a `Status` object carries.

#include "controlplane/resources/resource.hpp"

#include <tl/expected.hpp>

namespace sluice::controlplane {

struct ApiError {
  int code = 500;      ///< HTTP status
  std::string reason;  ///< "NotFound", "Conflict", "Invalid", ...
  std::string message; ///< for people
  // status.details
  std::string name, group, kind, uid; ///< `kind` is the plural for NotFound, the kind for Invalid
  FieldErrors causes;
  int retryAfterSeconds = 0;
  std::string
      continueToken; ///< 410 of an expired continue: how to go on with the inconsistent rest
};

template <class T = void> class [[nodiscard]] ApiResult : public tl::expected<T, ApiError> {
public:
  using tl::expected<T, ApiError>::expected;
};
inline tl::unexpected<ApiError> refuse(ApiError error) {
  return tl::unexpected<ApiError>(std::move(error));
}

// The errors of the API machinery, worded as kube-apiserver words them.
ApiError not_found(const ResourceType &type, std::string_view name);
ApiError already_exists(const ResourceType &type, std::string_view name);
/// `why` completes "Operation cannot be fulfilled on services \"x\": ".
ApiError conflict(const ResourceType &type, std::string_view name, std::string_view why);
ApiError invalid(const ResourceType &type, std::string_view name, FieldErrors causes);
ApiError bad_request(std::string message);
/// `why` completes "services \"x\" is forbidden: ".
ApiError forbidden(const ResourceType &type, std::string_view name, std::string_view why);
ApiError method_not_allowed();
ApiError expired(std::string message);
ApiError too_large_resource_version(std::uint64_t asked, std::uint64_t current);
ApiError internal_error(std::string message);
ApiError unsupported_media_type(std::string message);
ApiError not_acceptable(std::string message);
ApiError unauthorized();
ApiError unavailable(std::string message);

/// The Status document.
json to_json(const ApiError &error);
std::string to_text(const ApiError &error);

} // namespace sluice::controlplane
