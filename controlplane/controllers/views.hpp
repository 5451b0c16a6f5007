#pragma once
// Stored documents as the values that controllers compute with.

#include "controlplane/resources/resource.hpp"
#include "kube/codec.hpp"

namespace sluice::controlplane {

/// What is stored was validated, so it decodes. A document of an older version with looser rules
/// may not: it counts as one that says nothing.
template <class Object> Object view(std::string_view text) {
  return kube::decode<Object>(text).value_or(Object());
}

kube::ObjectMeta read_meta(const json &document);

/// Makes `to[field]` what `from[field]` is, absent if that is absent.
void copy(const json &from, const char *field, json &to);

} // namespace sluice::controlplane
