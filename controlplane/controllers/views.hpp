#pragma once
// Stored documents as the values that controllers compute with. Only the fields that they use.

#include "controlplane/resources/resource.hpp"
#include "kube/objects.hpp"

namespace sluice::controlplane {

kube::ObjectMeta read_meta(const json &document);
kube::Pod read_pod(const json &document);
kube::Node read_node(const json &document);
kube::Service read_service(const json &document);
kube::EndpointSlice read_slice(const json &document);

/// A document ready for create or update: of metadata only what a controller sets.
json write_slice(const kube::EndpointSlice &slice);

} // namespace sluice::controlplane
