#include "controlplane/api/discovery.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace sluice::controlplane {
namespace {

const std::vector<std::string> kAllVerbs = {"create", "delete", "deletecollection", "get",
                                            "list",   "patch",  "update",           "watch"};
const std::vector<std::string> kStatusVerbs = {"get", "patch", "update"};

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

const std::vector<std::string> &verbs_of(const ResourceType &type) {
  return type.verbs.empty() ? kAllVerbs : type.verbs;
}

std::vector<Subresource> subresources_of(const ResourceType &type) {
  auto all = type.subresources;
  if (type.hasStatus)
    all.push_back({"status", type.kind, type.group, type.version, kStatusVerbs});
  return all;
}

/// (group, version), core first.
std::vector<std::pair<std::string, std::string>> group_versions() {
  std::vector<std::pair<std::string, std::string>> result;
  const auto add = [&result](const std::string &group, const std::string &version) {
    const std::pair entry(group, version);
    if (std::find(result.begin(), result.end(), entry) == result.end())
      result.push_back(entry);
  };
  for (const auto &type : resource_types())
    add(type.group, type.version);
  for (const auto &type : virtual_resources())
    add(type.group, type.version);
  return result;
}

json legacy_entry(const ResourceType &type) {
  json entry = {{"name", type.plural},
                {"singularName", type.singular},
                {"namespaced", type.namespaced},
                {"kind", type.kind},
                {"verbs", verbs_of(type)}};
  if (!type.shortNames.empty())
    entry["shortNames"] = type.shortNames;
  if (!type.categories.empty())
    entry["categories"] = type.categories;
  return entry;
}

json legacy_entry(const ResourceType &type, const Subresource &part) {
  json entry = {{"name", type.plural + "/" + part.name},
                {"singularName", ""},
                {"namespaced", type.namespaced},
                {"kind", part.kind},
                {"verbs", part.verbs}};
  if (part.group != type.group || part.version != type.version) {
    entry["group"] = part.group;
    entry["version"] = part.version;
  }
  return entry;
}

json response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return {{"group", group}, {"version", version}, {"kind", kind}};
}

json aggregated_entry(const ResourceType &type) {
  json entry = {{"resource", type.plural},
                {"responseKind", response_kind(type.group, type.version, type.kind)},
                {"scope", type.namespaced ? "Namespaced" : "Cluster"},
                {"singularResource", type.singular},
                {"verbs", verbs_of(type)}};
  if (!type.shortNames.empty())
    entry["shortNames"] = type.shortNames;
  if (!type.categories.empty())
    entry["categories"] = type.categories;
  for (const auto &part : subresources_of(type))
    entry["subresources"].push_back(
        {{"subresource", part.name},
         {"responseKind", response_kind(part.group, part.version, part.kind)},
         {"verbs", part.verbs}});
  return entry;
}

json aggregated_entry(const VirtualResource &type) {
  return {{"resource", type.plural},
          {"responseKind", response_kind(type.group, type.version, type.kind)},
          {"scope", "Cluster"},
          {"singularResource", type.singular},
          {"verbs", {"create"}}};
}

json aggregated_version(std::string_view group, std::string_view version) {
  json entries = json::array();
  for (const auto &type : resource_types())
    if (type.group == group && type.version == version)
      entries.push_back(aggregated_entry(type));
  for (const auto &type : virtual_resources())
    if (type.group == group && type.version == version)
      entries.push_back(aggregated_entry(type));
  return {{"version", version}, {"freshness", "Current"}, {"resources", std::move(entries)}};
}

std::string openapi_path(std::string_view group, std::string_view version) {
  return group.empty() ? "api/" + std::string(version)
                       : "apis/" + std::string(group) + "/" + std::string(version);
}

json query_parameter(const char *name) {
  return {{"name", name}, {"in", "query"}, {"schema", {{"type", "string"}, {"uniqueItems", true}}}};
}

json patch_operation(const ResourceType &type) {
  return {
      {"patch",
       {{"parameters",
         {query_parameter("dryRun"), query_parameter("fieldManager"),
          query_parameter("fieldValidation"), query_parameter("force")}},
        {"responses", {{"200", {{"description", "OK"}}}}},
        {"x-kubernetes-action", "patch"},
        {"x-kubernetes-group-version-kind", response_kind(type.group, type.version, type.kind)}}}};
}

} // namespace

const std::vector<VirtualResource> &virtual_resources() {
  static const std::vector<VirtualResource> kAll = {
      {"authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews",
       "selfsubjectreview"},
      {"authentication.k8s.io", "v1", "TokenReview", "tokenreviews", "tokenreview"},
      {"authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
       "selfsubjectaccessreview"},
      {"authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews",
       "selfsubjectrulesreview"},
      {"authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews",
       "subjectaccessreview"},
  };
  return kAll;
}

const VirtualResource *find_virtual(std::string_view group, std::string_view version,
                                    std::string_view plural) {
  for (const auto &type : virtual_resources())
    if (type.group == group && type.version == version && type.plural == plural)
      return &type;
  return nullptr;
}

json version_document() {
  return {{"major", "1"},    {"minor", "32"},      {"gitVersion", "v1.32.0+sluice"},
          {"gitCommit", ""}, {"gitTreeState", ""}, {"buildDate", "1970-01-01T00:00:00Z"},
          {"goVersion", ""}, {"compiler", "g++"},  {"platform", "linux/amd64"}};
}

json api_versions(std::string_view server_address) {
  return {{"kind", "APIVersions"},
          {"versions", {"v1"}},
          {"serverAddressByClientCIDRs",
           {{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}}}}};
}

json api_group(std::string_view group) {
  json versions = json::array();
  for (const auto &[name, version] : group_versions())
    if (name == group && !group.empty())
      versions.push_back({{"groupVersion", group_version(name, version)}, {"version", version}});
  if (versions.empty())
    return nullptr;
  const json preferred = versions.front();
  return {{"kind", "APIGroup"},
          {"apiVersion", "v1"},
          {"name", group},
          {"versions", std::move(versions)},
          {"preferredVersion", preferred}};
}

json api_group_list() {
  json groups = json::array();
  std::set<std::string> seen;
  for (const auto &[group, version] : group_versions()) {
    if (group.empty() || !seen.insert(group).second)
      continue;
    json entry = api_group(group);
    entry.erase("kind");
    entry.erase("apiVersion");
    groups.push_back(std::move(entry));
  }
  return {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

json api_resource_list(std::string_view group, std::string_view version) {
  json resources = json::array();
  for (const auto &type : resource_types()) {
    if (type.group != group || type.version != version)
      continue;
    resources.push_back(legacy_entry(type));
    for (const auto &part : subresources_of(type))
      resources.push_back(legacy_entry(type, part));
  }
  for (const auto &type : virtual_resources())
    if (type.group == group && type.version == version)
      resources.push_back({{"name", type.plural},
                           {"singularName", type.singular},
                           {"namespaced", false},
                           {"kind", type.kind},
                           {"verbs", {"create"}}});
  if (resources.empty())
    return nullptr;
  return {{"kind", "APIResourceList"},
          {"apiVersion", "v1"},
          {"groupVersion", group_version(group, version)},
          {"resources", std::move(resources)}};
}

json aggregated_discovery(bool core, std::string_view version) {
  json items = json::array();
  std::set<std::string> seen;
  for (const auto &[group, ignored] : group_versions()) {
    if (group.empty() != core || !seen.insert(group).second)
      continue;
    json versions = json::array();
    for (const auto &[name, served] : group_versions())
      if (name == group)
        versions.push_back(aggregated_version(name, served));
    items.push_back({{"metadata", {{"name", group}, {"creationTimestamp", nullptr}}},
                     {"versions", std::move(versions)}});
  }
  return {{"kind", "APIGroupDiscoveryList"},
          {"apiVersion", "apidiscovery.k8s.io/" + std::string(version)},
          {"metadata", json::object()},
          {"items", std::move(items)}};
}

json openapi_v3_index() {
  json paths = json::object();
  for (const auto &[group, version] : group_versions()) {
    const auto path = openapi_path(group, version);
    // Clients cache by the hash: it must change with the content.
    const auto hash = std::hash<std::string>{}(openapi_v3(path).dump());
    paths[path] = {{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + std::to_string(hash)}};
  }
  return {{"paths", std::move(paths)}};
}

json openapi_v3(std::string_view path) {
  json paths = json::object();
  bool known = false;
  for (const auto &[group, version] : group_versions())
    known = known || openapi_path(group, version) == path;
  if (!known)
    return nullptr;
  for (const auto &type : resource_types()) {
    if (openapi_path(type.group, type.version) != path)
      continue;
    const std::string scope = type.namespaced ? "/namespaces/{namespace}/" : "/";
    paths["/" + std::string(path) + scope + type.plural + "/{name}"] = patch_operation(type);
  }
  return {{"openapi", "3.0.0"},
          {"info", {{"title", "Kubernetes"}, {"version", "v1.32.0+sluice"}}},
          {"paths", std::move(paths)},
          {"components", {{"schemas", json::object()}}}};
}

std::string openapi_v2_protobuf() {
  return "\x0a\x03"
         "2.0";
} // field 1, length 3

} // namespace sluice::controlplane
