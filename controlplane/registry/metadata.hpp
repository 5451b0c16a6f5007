#pragma once
// The metadata that all kinds share: what the server sets, what a client may not change, what is
// refused. Pure but for `new_uid` and `random_suffix`.

#include "controlplane/registry/api_error.hpp"
#include "controlplane/registry/selector.hpp"

namespace sluice::controlplane {

/// 400 for a document whose metadata has the wrong JSON types ("labels": 5), wrong kind or
/// apiVersion; after it, string maps are string maps. Fills in kind and apiVersion.
ApiResult<> check_shape(const ResourceType &type, json &object);

/// Field errors of metadata; with `old`, what may not change.
FieldErrors validate_metadata(const ResourceType &type, const json &object, const json *old);

/// On create: uid, creationTimestamp; drops what only the server sets.
void stamp_new(json &object, std::chrono::system_clock::time_point now);
/// On update: takes what only the server sets from `old`.
void carry_over(json &object, const json &old);
/// Adds one to metadata.generation, if the kind has one, when anything but metadata and status
/// differs.
void bump_generation(json &object, const json &old);

Labels labels_of(const json &object);
bool has_finalizers(const json &object);

/// A random (version 4) UUID.
std::string new_uid();
/// Five characters from the alphabet of generateName.
std::string random_suffix();

} // namespace sluice::controlplane
