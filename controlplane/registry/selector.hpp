#pragma once
// labelSelector= and fieldSelector= of the query string, with the API's errors.

#include "controlplane/registry/api_error.hpp"
#include "kube/field_selector.hpp"
#include "kube/label_selector.hpp"

namespace sluice::controlplane {

using kube::Labels;

/// 400 with what cannot be parsed.
ApiResult<kube::LabelMatcher> parse_label_selector(std::string_view text);
/// 400; "field label not supported: x" if `type` has no such label.
ApiResult<kube::FieldMatcher> parse_field_selector(std::string_view text, const ResourceType &type);

} // namespace sluice::controlplane
