#pragma once
// Request bodies: content types, decoding, unknown fields. Pure.

#include "controlplane/registry/api_error.hpp"
#include "kube/http/server.hpp"

namespace sluice::controlplane {

/// JSON (also without a Content-Type, as kubectl 1.20 sends it) or Kubernetes protobuf. An empty
/// body is null. 415 for other types, 400 for what cannot be decoded.
ApiResult<json> parse_body(const kube::http::Request &request);

/// What fieldValidation= asks for: Strict refuses unknown fields, Warn (the default) names them in
/// `warnings`, Ignore does nothing.
ApiResult<> check_fields(const ResourceType &type, const json &object, const std::string &mode,
                         std::vector<std::string> &warnings);

/// dryRun=All; anything else that is not empty is refused.
ApiResult<bool> is_dry_run(const kube::http::Request &request);

} // namespace sluice::controlplane
