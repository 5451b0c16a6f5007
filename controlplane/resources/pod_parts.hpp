#pragma once
// A Pod is too much for one file: what pod.cpp puts together.

#include "controlplane/resources/kinds.hpp"

namespace sluice::controlplane {

FieldErrors validate_pod(const json &object, const json *old);
std::vector<Column> pod_columns();
json pod_cells(const json &object, std::chrono::system_clock::time_point now);
/// The fields of a Pod (see Schema).
std::string_view pod_schema();
/// Merge keys of the lists inside containers, initContainers and ephemeralContainers.
MergeKeys container_merge_keys();

} // namespace sluice::controlplane
