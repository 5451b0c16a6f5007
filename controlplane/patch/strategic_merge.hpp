#pragma once
// Strategic merge patch: a merge patch that knows which lists are maps in disguise. Pure.
// Source: kubernetes/community contributors/devel/sig-api-machinery/strategic-merge-patch.md and
// the patchMergeKey tags of k8s.io/api.

#include "controlplane/resources/resource.hpp"
#include "net/result.hpp"

namespace sluice::controlplane {

/// How the list at a path merges: "spec.containers.ports" is the field names from the root, list
/// steps left out. Empty: every list is replaced whole.
using ListRules = std::function<ListMerge(std::string_view path)>;

/// Applies `patch` to `target` under `rules`, with the directives `$patch` (replace, delete,
/// merge), `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>` and `$retainKeys`.
/// invalid_input if the patch is malformed (an item without its key, an unknown directive).
Result<json> strategic_merge_patch(const ListRules &rules, json target, const json &patch);

} // namespace sluice::controlplane
