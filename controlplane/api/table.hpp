#pragma once
// Answers as `Table` and `PartialObjectMetadata`, for kubectl get and metadata clients. Pure.

#include "controlplane/api/media.hpp"
#include "controlplane/registry/registry.hpp"

namespace sluice::controlplane {

using SystemTime = std::chrono::system_clock::time_point;

/// Rows for `objects`. `include` is the parameter includeObject: None, Metadata (default), Object.
/// `with_columns` is false for all but the first event of a watch.
json make_table(const ResourceType &type, const std::vector<StoredPtr> &objects,
                const std::string &version, const std::string &include, SystemTime now,
                bool with_columns = true);
/// {kind: PartialObjectMetadata, apiVersion: meta.k8s.io/v1, metadata}
json make_partial(const json &object, const std::string &version);

/// The whole list as JSON text, in the form that was asked for.
std::string list_text(const ResourceType &type, const ListResult &list, const ObjectForm &form,
                      const std::string &include, SystemTime now);
/// One object, likewise.
Bytes object_bytes(const ResourceType &type, const StoredPtr &object, const ObjectForm &form,
                   const std::string &include, SystemTime now);

} // namespace sluice::controlplane
