#pragma once
// Request bodies in Kubernetes protobuf: kubectl 1.32 and later send them for `create ns`, `create
// token`, `auth can-i`, `drain` and the like, and do not fall back to JSON. Answers stay JSON.
// Pure.

#include "net/result.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace sluice::controlplane {

/// `body` is "k8s\0" and runtime.Unknown{1: TypeMeta, 2: raw}. The document has apiVersion and kind
/// and only members that are set: empty texts, zeros and false are left out as Go's JSON would.
/// invalid_input: malformed; unsupported: a kind that has no table here.
Result<nlohmann::json> decode_protobuf(std::string_view body);

} // namespace sluice::controlplane
