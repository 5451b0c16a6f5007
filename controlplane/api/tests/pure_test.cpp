#include "controlplane/api/body.hpp"
#include "controlplane/api/discovery.hpp"
#include "controlplane/api/media.hpp"
#include "controlplane/api/route.hpp"
#include "controlplane/api/table.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

kube::http::Request request(const char *method, const char *path,
                            std::multimap<std::string, std::string> query = {}) {
  kube::http::Request result;
  result.method = method;
  result.path = path;
  result.query = std::move(query);
  return result;
}

struct RouteCase {
  const char *method, *path, *expected; ///< verb group/version/plural namespace name subresource
};

TEST(controlplane_route, reads_paths_of_resources) {
  const RouteCase cases[] = {
      {"GET", "/api/v1/pods", "list /v1/pods - - -"},
      {"GET", "/api/v1/namespaces/default/pods", "list /v1/pods default - -"},
      {"GET", "/api/v1/namespaces/default/pods/web", "get /v1/pods default web -"},
      {"PATCH", "/api/v1/namespaces/default/pods/web/status", "patch /v1/pods default web status"},
      {"GET", "/api/v1/namespaces", "list /v1/namespaces - - -"},
      {"GET", "/api/v1/namespaces/default", "get /v1/namespaces - default -"},
      {"PUT", "/api/v1/namespaces/default/finalize", "update /v1/namespaces - default finalize"},
      {"PUT", "/api/v1/namespaces/default/status", "update /v1/namespaces - default status"},
      {"DELETE", "/api/v1/namespaces/x/configmaps", "deletecollection /v1/configmaps x - -"},
      {"DELETE", "/api/v1/nodes/n1", "delete /v1/nodes - n1 -"},
      {"POST", "/api/v1/namespaces/x/pods/p/binding", "create /v1/pods x p binding"},
      {"GET", "/apis/discovery.k8s.io/v1/namespaces/x/endpointslices",
       "list discovery.k8s.io/v1/endpointslices x - -"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.path);
    const auto route = parse_route(request(c.method, c.path));
    const auto or_dash = [](const std::string &text) { return text.empty() ? "-" : text; };
    EXPECT_TRUE(route.is_resource);
    EXPECT_TRUE(route.type);
    EXPECT_EQ(route.verb + " " + route.group + "/" + route.version + "/" + route.plural + " " +
                  or_dash(route.namespace_) + " " + or_dash(route.name) + " " +
                  or_dash(route.subresource),
              c.expected);
  }
}

TEST(controlplane_route, a_list_with_watch_is_a_watch) {
  EXPECT_EQ(parse_route(request("GET", "/api/v1/pods", {{"watch", "true"}})).verb, "watch");
  EXPECT_EQ(parse_route(request("GET", "/api/v1/pods", {{"watch", "1"}})).verb, "watch");
  EXPECT_EQ(parse_route(request("GET", "/api/v1/pods", {{"watch", "0"}})).verb, "list");
}

TEST(controlplane_route, other_paths_are_no_resources) {
  for (const char *path :
       {"/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz"})
    EXPECT_FALSE(parse_route(request("GET", path)).is_resource) << path;
  EXPECT_EQ(parse_route(request("GET", "/api/v1/replicationcontrollers")).type, nullptr);
  EXPECT_EQ(parse_route(request("GET", "/api/v1/pods/a/b/c/d")).type, nullptr);
}

// What kubectl 1.32, 1.20 and client-go send.
constexpr const char *kTable = "application/json;as=Table;v=v1;g=meta.k8s.io,"
                               "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
constexpr const char *kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

TEST(controlplane_media, objects_are_answered_in_the_first_form_that_we_know) {
  const auto form = [](const char *accept) -> std::string {
    const auto found = negotiate_object(accept);
    if (!found)
      return "406";
    return (found->kind == ObjectForm::Kind::table      ? "table "
            : found->kind == ObjectForm::Kind::metadata ? "metadata "
                                                        : "plain ") +
           found->version;
  };
  EXPECT_EQ(form(kTable), "table v1");
  EXPECT_EQ(form("application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json"),
            "table v1beta1");
  EXPECT_EQ(form(""), "plain v1");
  EXPECT_EQ(form("*/*"), "plain v1");
  EXPECT_EQ(form("application/vnd.kubernetes.protobuf,application/json"), "plain v1");
  EXPECT_EQ(form("application/vnd.kubernetes.protobuf, */*"), "plain v1");
  EXPECT_EQ(form("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            "metadata v1");
  EXPECT_EQ(form("application/vnd.kubernetes.protobuf"), "406");
  EXPECT_EQ(form("text/html"), "406");
  EXPECT_EQ(form("application/json;q=0"), "406");
}

TEST(controlplane_media, discovery_follows_accept_exactly) {
  EXPECT_EQ(negotiate_discovery(kAggregated), "v2");
  EXPECT_EQ(negotiate_discovery("application/json;g=apidiscovery.k8s.io;v=v2beta1;"
                                "as=APIGroupDiscoveryList,application/json"),
            "v2beta1")
      << "kubectl 1.27 to 1.29 see no resources in a v2 answer";
  EXPECT_EQ(negotiate_discovery("application/json, */*"), "");
  EXPECT_EQ(negotiate_discovery(""), "");
  EXPECT_EQ(negotiate_discovery("text/html"), std::nullopt);
}

TEST(controlplane_discovery, both_forms_name_the_same_kinds) {
  const json legacy = api_resource_list("", "v1");
  const json aggregated = aggregated_discovery(true, "v2");
  std::set<std::string> from_legacy, from_aggregated;
  for (const auto &entry : legacy["resources"])
    from_legacy.insert(entry["name"]);
  for (const auto &entry : aggregated["items"][0]["versions"][0]["resources"]) {
    from_aggregated.insert(entry["resource"]);
    for (const auto &part : entry.value("subresources", json::array()))
      from_aggregated.insert(entry["resource"].get<std::string>() + "/" +
                             part["subresource"].get<std::string>());
  }
  EXPECT_EQ(from_legacy, from_aggregated);
  for (const char *name : {"namespaces", "namespaces/finalize", "nodes", "nodes/status", "pods",
                           "pods/status", "pods/binding", "pods/eviction", "services",
                           "serviceaccounts/token", "configmaps", "events", "endpoints"})
    EXPECT_TRUE(from_legacy.contains(name)) << name;
  EXPECT_EQ(aggregated["apiVersion"], "apidiscovery.k8s.io/v2");
}

TEST(controlplane_discovery, every_group_is_in_the_list_and_has_its_documents) {
  std::set<std::string> groups;
  const json all = api_group_list();
  for (const auto &group : all["groups"]) {
    groups.insert(group["name"]);
    EXPECT_FALSE(api_group(group["name"].get<std::string>()).is_null());
    EXPECT_FALSE(api_resource_list(group["name"].get<std::string>(), "v1").is_null());
  }
  for (const char *name : {"discovery.k8s.io", "networking.k8s.io", "coordination.k8s.io",
                           "events.k8s.io", "authorization.k8s.io"})
    EXPECT_TRUE(groups.contains(name)) << name;
  EXPECT_TRUE(api_group("nothing.example").is_null());
  EXPECT_TRUE(api_resource_list("", "v2").is_null());
}

TEST(controlplane_discovery, openapi_has_the_patch_parameters_of_every_kind) {
  const json index = openapi_v3_index();
  EXPECT_TRUE(index["paths"].contains("api/v1"));
  EXPECT_TRUE(index["paths"].contains("apis/networking.k8s.io/v1"));
  const json core = openapi_v3("api/v1");
  const json &patch = core["paths"]["/api/v1/namespaces/{namespace}/services/{name}"]["patch"];
  EXPECT_EQ(patch["x-kubernetes-group-version-kind"],
            json({{"group", ""}, {"version", "v1"}, {"kind", "Service"}}));
  std::set<std::string> parameters;
  for (const auto &parameter : patch["parameters"])
    parameters.insert(parameter["name"]);
  EXPECT_TRUE(parameters.contains("dryRun"));
  EXPECT_TRUE(parameters.contains("fieldValidation"));
  EXPECT_TRUE(openapi_v3("apis/nothing/v1").is_null());
  EXPECT_EQ(openapi_v2_protobuf().size(), 5U);
}

// ---- bodies ------------------------------------------------------------------------------------

TEST(controlplane_body, json_is_read_with_and_without_a_content_type) {
  auto with = request("POST", "/api/v1/namespaces");
  with.body = R"({"a":1})";
  EXPECT_EQ(*parse_body(with), json({{"a", 1}}));
  with.headers["content-type"] = "application/json; charset=utf-8";
  EXPECT_EQ(*parse_body(with), json({{"a", 1}}));
  with.body = "{";
  EXPECT_EQ(parse_body(with).error().code, 400);
  with.headers["content-type"] = "text/plain";
  EXPECT_EQ(parse_body(with).error().code, 415);
}

TEST(controlplane_body, unknown_fields_are_refused_named_or_ignored) {
  const auto &services = *find_by_kind("v1", "Service");
  const json object = {{"apiVersion", "v1"}, {"kind", "Service"}, {"spec", {{"bogus", 1}}}};
  std::vector<std::string> warnings;
  const auto strict = check_fields(services, object, "Strict", warnings);
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().code, 400);
  EXPECT_EQ(strict.error().message, "Service in version \"v1\" cannot be handled as a Service: "
                                    "strict decoding error: unknown field \"spec.bogus\"");
  EXPECT_TRUE(check_fields(services, object, "", warnings));
  EXPECT_EQ(warnings, std::vector<std::string>{"unknown field \"spec.bogus\""});
  warnings.clear();
  EXPECT_TRUE(check_fields(services, object, "Ignore", warnings));
  EXPECT_TRUE(warnings.empty());
  EXPECT_FALSE(check_fields(services, object, "Sometimes", warnings));
}

// ---- tables ------------------------------------------------------------------------------------

TEST(controlplane_table, rows_carry_cells_and_metadata) {
  const auto &type = *find_by_kind("v1", "ConfigMap");
  auto stored = std::make_shared<Stored>();
  stored->resourceVersion = 7;
  stored->bytes = std::make_shared<const std::string>(
      R"({"kind":"ConfigMap","metadata":{"name":"a","namespace":"default","creationTimestamp":"1970-01-01T00:00:00Z"},"data":{"x":"1","y":"2"}})");
  const auto now = std::chrono::system_clock::from_time_t(180);
  const json table = make_table(type, {stored}, "v1", "", now);
  EXPECT_EQ(table["kind"], "Table");
  EXPECT_EQ(table["apiVersion"], "meta.k8s.io/v1");
  std::string columns;
  for (const auto &column : table["columnDefinitions"])
    columns += column["name"].get<std::string>() + " ";
  EXPECT_EQ(columns, "Name Data Age ");
  EXPECT_EQ(table["rows"][0]["cells"].size(), 3U);
  EXPECT_EQ(table["rows"][0]["cells"][0], "a");
  EXPECT_EQ(table["rows"][0]["cells"][2], "3m");
  EXPECT_EQ(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
  EXPECT_FALSE(table["rows"][0]["object"].contains("data"));
  EXPECT_EQ(make_table(type, {stored}, "v1", "Object", now)["rows"][0]["object"]["data"]["x"], "1");
  EXPECT_TRUE(make_table(type, {}, "v1", "", now, false)["columnDefinitions"].is_null());
}

} // namespace
} // namespace sluice::controlplane
