#pragma once
// The two patch formats that know nothing about Kubernetes. Pure functions over documents.

#include "net/result.hpp"

#include <nlohmann/json_fwd.hpp>

namespace sluice::controlplane {

/// JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces.
nlohmann::json merge_patch(nlohmann::json target, const nlohmann::json &patch);

/// JSON patch (RFC 6902): add, remove, replace, move, copy, test, all or nothing.
/// invalid_input: `operations` is no JSON patch (an API server answers 400). not_found, conflict:
/// it is one, but this document lacks the place it names, or a test failed (an API server answers
/// 422).
Result<nlohmann::json> json_patch(nlohmann::json target, const nlohmann::json &operations);

} // namespace sluice::controlplane
