#pragma once
// What is served, as clients ask for it: legacy and aggregated discovery, /version, and as much
// OpenAPI as kubectl needs. Made from the resource table. Pure.

#include "controlplane/resources/resource.hpp"

namespace sluice::controlplane {

/// A kind that is answered but never stored: reviews.
struct VirtualResource {
  std::string group, version, kind, plural, singular;
};
const std::vector<VirtualResource> &virtual_resources();
const VirtualResource *find_virtual(std::string_view group, std::string_view version,
                                    std::string_view plural);

json version_document();
/// GET /api
json api_versions(std::string_view server_address);
/// GET /apis
json api_group_list();
/// GET /apis/<group>; null if there is none.
json api_group(std::string_view group);
/// GET /api/v1, GET /apis/<group>/<version>; null if there is none.
json api_resource_list(std::string_view group, std::string_view version);
/// GET /api or /apis with Accept ...;as=APIGroupDiscoveryList; `version` is v2 or v2beta1.
json aggregated_discovery(bool core, std::string_view version);

/// GET /openapi/v3
json openapi_v3_index();
/// GET /openapi/v3/<path> with path "api/v1" or "apis/<group>/<version>"; null if there is none.
/// Holds for each kind the PATCH operation with its parameters: that is what kubectl looks for
/// before it sends dryRun and fieldValidation.
json openapi_v3(std::string_view path);
/// GET /openapi/v2 as gnostic protobuf: a document that only says swagger "2.0". kubectl up to 1.28
/// refuses to create anything if there is none.
std::string openapi_v2_protobuf();

} // namespace sluice::controlplane
